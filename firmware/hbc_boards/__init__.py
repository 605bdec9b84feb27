# The only package that knows the hardware.
