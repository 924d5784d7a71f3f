"""Quantizing a float model: what the original system calls torch.quantization. Each file lists its public names."""

from qsdk.quantization.calibrate import *
from qsdk.quantization.distributed import *
from qsdk.quantization.equalize import *
from qsdk.quantization.fake_quantize import *
from qsdk.quantization.foreign.pt2e import *
from qsdk.quantization.foreign.torch_ao import *
from qsdk.quantization.fuse import *
from qsdk.quantization.mappings import *
from qsdk.quantization.observer import *
from qsdk.quantization.qconfig import *
from qsdk.quantization.qconfig_mapping import *
from qsdk.quantization.quantize import *
from qsdk.quantization.stubs import *
