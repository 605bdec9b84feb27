# What the box does, hardware-free.
