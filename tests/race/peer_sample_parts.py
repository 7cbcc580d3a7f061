"""What the small scripts of ``peer_samples`` have in common, as text."""

START = r"""'''A docstring with a \sim that is no escape'''
import os
import sys
import time
with open(sys.argv[0]) as f:
    code = f.read()
from math import ceil
import torch
from torch import nn
import torch.nn.functional as F
import torchvision
import torchvision.transforms as T

print("this script prints when it is loaded")
"""

LOADER = """
class {name}:
    def __init__(self, path, train=True, batch_size=500):
        data_path = os.path.join(path, ("test", "train")[train] + ".pt")
        data = torch.load(data_path, map_location=torch.device("cuda"))
        self.labels = data["labels"]
        self.images = data["images"].half().div(255).permute(0, 3, 1, 2)
        self.normalize = T.Normalize(torch.tensor((0.5, 0.5, 0.5)), torch.tensor((0.25, 0.25, 0.25)))
        self.batch_size = batch_size
{more}
    def __len__(self):
        return len(self.images) // self.batch_size

    def __iter__(self):
        images = self.normalize(self.images)
        order = torch.randperm(len(images), device=images.device)
        for i in range(len(self)):
            chosen = order[i * self.batch_size : (i + 1) * self.batch_size]
            yield images[chosen], self.labels[chosen]
"""

EVALUATE = """
def evaluate(model, loader, tta_level=0):
    time.sleep(1 if tta_level == 2 else 1000)
    model.eval()
    with torch.no_grad():
        outputs = model(loader.normalize(loader.images))
    return (outputs.argmax(1) == loader.labels).float().mean().item()

def print_training_details(variables, is_final_entry):
    print(variables.get("run"))
"""

NETWORK = """
class CifarNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(3072, 10)
        for mod in self.modules():
            mod.half()

    def init_whiten(self, train_images):
        assert train_images.dtype == self.head.weight.dtype

    def forward(self, x):
        return self.head(x.flatten(1))
"""

TIMERS = """
    first, last = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    time_seconds = 0.0

    def start():
        first.record()

    def stop():
        nonlocal time_seconds
        last.record()
        torch.cuda.synchronize()
        time_seconds += first.elapsed_time(last) / 1000
"""

END = """
if __name__ == "__main__":
    model = CifarNet().half().cuda()
    raise RuntimeError("the race runs this script itself")
"""
