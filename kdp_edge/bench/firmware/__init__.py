"""Instructions per multiply-accumulate of the kernels, on emulated cores."""
