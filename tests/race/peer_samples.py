"""Small scripts with the outer shape of the peers', written for the tests, and data for them.

Time passes in them by ``time.sleep`` alone, so a test that owns the clock knows what a run must take: a
training step 10 s, the evaluation with views 1 s, any other evaluation 1,000 s.
"""

from pathlib import Path

import torch

from race.peer_sample_parts import END, EVALUATE, LOADER, NETWORK, START, TIMERS

TRAINING, TEST = 40, 20
"""Images of ``write_data``."""

MUON = (
    START
    + """
@torch.compile
def zeropower_via_newtonschulz5(G):
    return torch.sign(G.bfloat16()).to(G.dtype)

class Muon(torch.optim.SGD):
    pass
"""
    + LOADER.format(name="CifarLoader", more="")
    + NETWORK
    + EVALUATE
    + """
def main(run, model):

    batch_size = 2000
    test_loader = CifarLoader("cifar10", train=False, batch_size=2000)
    train_loader = CifarLoader("cifar10", train=True, batch_size=batch_size)
    print("labels", run, train_loader.labels.tolist())
    total_train_steps = ceil(8 * len(train_loader))
    whiten_bias_train_steps = ceil(3 * len(train_loader))
"""
    + TIMERS
    + """
    model.head.reset_parameters()
    model.train()
    optimizer = Muon(model.parameters(), lr=0.01)
    step = 0
    model.init_whiten(train_loader.normalize(train_loader.images[:5000]))
    for epoch in range(ceil(total_train_steps / len(train_loader))):
        start()
        for inputs, labels in train_loader:
            outputs = model(inputs)
            F.cross_entropy(outputs, labels).backward()
            model.head.weight.grad = zeropower_via_newtonschulz5(model.head.weight.grad)
            optimizer.step()
            model.zero_grad(set_to_none=True)
            time.sleep(10)
            step += 1
            if step >= total_train_steps:
                break
        stop()

        # Accuracies of the epoch
        train_acc = (outputs.detach().argmax(1) == labels).float().mean().item()
        val_acc = evaluate(model, test_loader, tta_level=0)
        print_training_details(locals(), is_final_entry=False)
        run = None

    start()
    tta_val_acc = evaluate(model, test_loader, tta_level=2)
    stop()
    print_training_details(locals(), is_final_entry=True)
    return tta_val_acc
"""
    + END
)

_BUFFER = """
        self._cpu_buffer = torch.zeros(
            self.images.shape, device='cpu',
            dtype=torch.half,
        ).pin_memory().contiguous()
        self._indices = torch.empty(len(self.images), dtype=torch.long, device="cuda")
"""

SPEEDRUN = (
    START
    + """
@torch.compile(fullgraph=True)
def _zeropower_via_newtonschulz5(gradients: list[torch.half]) -> list[torch.half]:
    return gradients

class Muon(torch.optim.SGD):
    pass

MEAN = torch.tensor(0.5, dtype=torch.half)
STD = torch.tensor(0.25, dtype=torch.half)

@torch.compile()
def batch_color_jitter(inputs, strength):
    return inputs + strength

@torch.compile()
def batch_flip_lr(inputs):
    return inputs.flip(-1)

@torch.compile()
def batch_crop(inputs):
    return inputs
"""
    + LOADER.format(name="CifarLoader", more=_BUFFER)
    + NETWORK
    + EVALUATE
    + """
def main(run, model):
    training_batch_size = 1536
    test_loader = CifarLoader("cifar10", train=False, batch_size=2000)
    train_loader = CifarLoader("cifar10", train=True, batch_size=training_batch_size)
    total_train_steps = ceil(7.59 * len(train_loader))
    whiten_bias_train_steps = ceil(0.19 * len(train_loader))
    model.head.reset_parameters()
    model.train()
    optimizer = Muon(model.parameters(), lr=0.01)
    optimizer.param_groups[0]["momentum_buffer_dtype"] = torch.half
    assert model.head.weight.dtype == torch.half
"""
    + TIMERS
    + """
    step = 0
    start()

    @torch.compile(mode="max-autotune", fullgraph=True)
    def forward_step(inputs, labels):
        return F.cross_entropy(model(inputs), labels)

    @torch.compile(fullgraph=True)
    def first_views(images):
        return images

    @torch.compile()
    def tta(images):
        return first_views(images)

    for epoch in range(ceil(total_train_steps / len(train_loader))):
        for inputs, labels in train_loader:
            forward_step(batch_color_jitter(batch_flip_lr(batch_crop(inputs)), 0.01), labels).backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            time.sleep(10)
            step += 1
            if step >= total_train_steps:
                break
    tta_val_acc = evaluate(model, test_loader, tta_level=2)
    stop()
    epoch = "eval"
    train_acc = evaluate(model, train_loader, tta_level=0)
    val_acc = evaluate(model, test_loader, tta_level=0)
    print_training_details(locals(), is_final_entry=True)
    return (val_acc, tta_val_acc, time_seconds)
"""
    + END
)

FASTER = (
    START
    + """
import random

hyp = {
    'opt': {
        'train_epochs': 45.0,
        'batch_size': 1024,
        'batch_size_masked': 512,
        'whiten_bias_epochs': 3, # then the bias is frozen
    },
    'proxy': {'width': 4},
    'net': {'width': 8},
}
"""
    + LOADER.format(
        name="InfiniteCifarLoader", more="        self.mask = torch.tensor([True] * len(self.images)).cuda()"
    )
    + EVALUATE
    + """
def make_net(hyp):
    net = nn.Sequential(nn.Conv2d(3, hyp['width'], 2), nn.Flatten(), nn.Linear(961 * hyp['width'], 10))
    return net.half().cuda()

def train_proxy(hyp, model):
    train_loader = InfiniteCifarLoader('cifar10', train=True, batch_size=hyp['opt']['batch_size'])
    assert not model._orig_mod[0].bias.requires_grad
    masks = []
    for epoch in range(ceil(hyp['opt']['train_epochs'])):
        for inputs, labels in train_loader:
            mask = torch.zeros(len(inputs)).cuda().bool()
            mask[: hyp['opt']['batch_size_masked']] = True
            masks.append(mask | torch.zeros(len(inputs)).cuda().bool())
            time.sleep(10)
    return masks

def main(run, hyp, model_proxy, model_trainbias, model_freezebias):
    random_seed = random.randint(0, 2**50)
    torch.manual_seed(random_seed)
    batch_size = hyp['opt']['batch_size']
    test_loader = InfiniteCifarLoader('cifar10', train=False, batch_size=2000)
    train_loader = InfiniteCifarLoader('cifar10', train=True, batch_size=batch_size)
    model = model_trainbias
    assert model._orig_mod[0].bias.requires_grad and not model_freezebias[0].bias.requires_grad
    for name, value in model.state_dict().items():
        assert value.dtype in (torch.half, torch.float)
        value.normal_(std=0.1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001)
    starter = torch.cuda.Event(enable_timing=True)
    ender = torch.cuda.Event(enable_timing=True)
    total_time_seconds = 0.0
    starter.record()
    masks = iter(train_proxy(hyp, model_proxy))
    ender.record()
    torch.cuda.synchronize()
    total_time_seconds += 1e-3 * starter.elapsed_time(ender)
    torch.cuda.synchronize()
    current_steps = 0
    for epoch in range(ceil(hyp['opt']['train_epochs'])):
        starter.record()
        for inputs, labels in train_loader:
            mask = next(masks)
            model.train()
            outputs = model(inputs[mask])
            labels = labels[mask]
            loss = F.cross_entropy(outputs, labels)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            current_steps += 1
            time.sleep(10)
        if current_steps:
            ender.record()
            torch.cuda.synchronize()
            total_time_seconds += 1e-3 * starter.elapsed_time(ender)
            train_acc = (outputs.detach().argmax(1) == labels).float().mean().item()
            train_loss = loss.item() / batch_size
            val_acc = evaluate(model, test_loader, tta_level=0)
            print_training_details(locals(), is_final_entry=False)
            run = None
    starter.record()
    tta_val_acc = evaluate(model, test_loader, tta_level=2)
    ender.record()
    torch.cuda.synchronize()
    total_time_seconds += 1e-3 * starter.elapsed_time(ender)
    print_training_details(locals(), is_final_entry=True)
    return tta_val_acc
"""
    + END
)

SAMPLES = {"airbench94_muon.py": MUON, "cifar10_speedrun.py": SPEEDRUN, "airbench96_faster.py": FASTER}
"""Of each peer, by its name."""


def write_data(folder: Path) -> Path:
    """``train.pt`` and ``test.pt`` in a new folder: ten classes, each of one color under noise."""
    folder.mkdir(parents=True)
    random = torch.Generator().manual_seed(0)
    colors = torch.randint(30, 226, (10, 1, 1, 3), generator=random)
    for name, count in (("train", TRAINING), ("test", TEST)):
        labels = torch.arange(count) % 10
        images = colors[labels] + 20 * torch.randn(count, 32, 32, 3, generator=random)
        torch.save(
            {
                "images": images.clamp(0, 255).to(torch.uint8),
                "labels": labels,
                "classes": [str(each) for each in range(10)],
            },
            folder / f"{name}.pt",
        )
    return folder
