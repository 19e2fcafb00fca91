"""Each module trains, and uses, one model in its own way.

`train(images, case, epochs, clock)` trains and returns the number of trainable parameters; it tells the clock, a
`measure.Clock`, when an epoch and a call of the step begin and end. `uses(images, case)` returns what is to be timed:
name -> function without arguments.
"""
