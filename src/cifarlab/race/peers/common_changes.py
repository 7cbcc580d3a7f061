"""Changes that several scripts need; ``race`` in their new text is ``referee.Referee``.

The clock of a script adds up its training and its last evaluation; it leaves out the conversion of the
images when they are loaded, the optimizers' and the weights' beginning, and all that is printed per epoch.
Ours (``contestant``) runs from the first look at the images to the last test prediction. So what a script
prints per epoch is switched off here, and reading the files is done before.
"""

from cifarlab.race.peers.changes import Change

WITHOUT_MAIN_BLOCK = Change(
    name="its series of runs is left to the race",
    pattern=r'^if __name__ == "__main__":\n(?s:.*)\Z',
    replacement="",
)
FILES_READ_BEFORE = Change(
    name="files are read before the clock starts",
    pattern=r"\btorch\.load\((data_path, .*)\)$",
    replacement=r"race.read(data_path, lambda: torch.load(\1))",
)
NO_ACCURACY_PER_EPOCH = Change(
    name="no evaluation per epoch",
    pattern=(
        r"^ +train_acc = \(outputs.*\n(?: +train_loss = .*\n)?"
        r" +val_acc = evaluate\(model, test_loader, tta_level=0\)\n"
        r" +print_training_details\(locals\(\), is_final_entry=False\)\n"
    ),
    replacement="",
)
FIGURES_HANDED_OVER = Change(
    name="figures are handed over, not printed",
    pattern=r"\bprint_training_details\(locals\(\), is_final_entry=True\)",
    replacement="race.finish(locals())",
)


def eager_on_cpu(
    *,
    half_calls: int = 0,
    half_types: int = 0,
    compiled_functions: int = 0,
    compiled_modules: int = 0,
    cuda_calls: int = 0,
    cuda_names: int,
    synchronizations: int,
) -> tuple[Change, ...]:
    """What makes a script run on a CPU, given how often each place occurs in it.

    fp16 becomes fp32: CPUs seldom compute in fp16, and its sums over whole batches lose accuracy there.
    """
    return (
        Change("CPU: fp32 for fp16 tensors", r"\.half\(\)", ".float()", half_calls),
        Change("CPU: fp32 for the type fp16", r"\btorch\.half\b", "torch.float", half_types),
        Change("CPU: functions run eagerly", r"^ *@torch\.compile(\(.*\))?\n", "", compiled_functions),
        Change("CPU: networks run eagerly", r"\._orig_mod\b", "", compiled_modules),
        Change("CPU: tensors stay where they are", r"\.cuda\(\)", "", cuda_calls),
        Change("CPU: the device's name", r"""(["'])cuda\1""", r"\1cpu\1", cuda_names),
        Change("CPU: its clock", r"\btorch\.cuda\.Event\(enable_timing=True\)", "race.event()", 2),
        Change("CPU: nothing to wait for", r"\btorch\.cuda\.synchronize\(\)", "pass", synchronizations),
    )


def fp32_for_bf16(calls: int) -> Change:
    """What a run in fp32 needs besides, where a script computes in bf16 itself.

    Processors without bf16 arithmetic are slower in bf16 than in fp32; those with it are faster, and there
    ``bfloat16`` is the stricter comparison.
    """
    return Change("CPU: fp32 for bf16", r"\.bfloat16\(\)", ".float()", calls)
