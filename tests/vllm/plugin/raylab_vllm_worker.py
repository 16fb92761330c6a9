"""A rank on a CPU that has a device, as Ray's compiled graph wants of each: vLLM 0.32 gives it one, 0.17.1 does not."""

import torch
from vllm.v1.worker.cpu_worker import CPUWorker


class LabWorker(CPUWorker):
    def init_device(self) -> None:
        super().init_device()
        self.device = torch.device("cpu")
