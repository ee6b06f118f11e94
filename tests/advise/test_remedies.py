"""Remedies fit the project they are for, and every command can be run as it stands."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mlproj.advise import commands, next_command, remedies
from mlproj.advise.table import ACTIONS
from mlproj.diagnose import ladder_of, parse_rungs
from mlproj.records import Ladder, Remedy
from mlproj.spec.load import load_project, make_project
from mlproj.spec.project import Project

BIAS = ("human=0", "train=10%:20000", "dev=11%:20000")
VARIANCE = ("human=0", "train=1%:20000", "dev=10%:20000")
MISMATCH = ("human=0", "train=1%:20000", "train_dev=1.5%:20000", "dev=10%:20000")


def ladder(rungs: Sequence[str], **options: Any) -> Ladder:
    return ladder_of(None, given=parse_rungs(rungs), **options)


def project(text: str = "", folder: str = ".") -> Project:
    Path(folder).mkdir(exist_ok=True)
    body = "name: p\ndata: {source: a.csv, label: y}\n" + (text or "training: {epochs: 40, batch_size: 64}\n")
    (Path(folder) / "project.yaml").write_text(body, encoding="utf-8")
    return load_project(folder)


def settings(command: str) -> list[str]:
    words = shlex.split(command)
    return [words[k + 1] for k, word in enumerate(words) if word == "--set"]


def tails(found: Sequence[Remedy]) -> list[str]:
    return [shlex.split(remedy.command)[-1].removeprefix("base-") for remedy in found if remedy.command]


@pytest.mark.parametrize("rungs", [BIAS, VARIANCE, MISMATCH])
@pytest.mark.parametrize(
    "text",
    [
        "",
        "model: {kind: linear}\ntraining: {epochs: 3}\n",
        "model: {kind: mlp, hidden: [64, 32], dropout: 0.6, activation: tanh}\n"
        "training: {optimizer: sgd, l2: 0.1, l1: 0.01}\n",
        "model: {kind: mlp, layers: 0}\ntraining: {early_stopping: null, label_smoothing: 0.1}\n",
        "model: {kind: mlp, batch_norm: true, width: 60000}\n"
        "training: {schedule: {kind: staircase}, optimizer: adamw}\n",
        "training: {l2: 1.0, epochs: auto}\n",
    ],
)
def test_every_training_command_is_a_valid_change_of_the_spec(rungs: tuple[str, ...], text: str) -> None:
    base = project(text)
    for remedy in remedies(ladder(rungs), project=base, run="base"):
        if not remedy.command or " train " not in remedy.command:
            continue
        words = shlex.split(remedy.command)
        assert words[:4] == ["mlproj", "train", "--like", "base"]
        changed = load_project(".", overrides=settings(remedy.command))
        assert changed.model_dump() != base.model_dump()


def test_a_bigger_network_doubles_the_form_that_the_project_uses() -> None:
    (first, *_) = remedies(ladder(BIAS), project=project(), run="base")
    assert first.command == "mlproj train --like base --set model.layers=2 --set model.width=128 --name base-wider"
    hidden = project("model: {kind: mlp, hidden: [64, 32]}\ntraining: {epochs: 40, batch_size: 64}\n")
    assert settings(remedies(ladder(BIAS), project=hidden, run="base")[0].command or "") == ["model.hidden=128,64"]


def test_a_linear_model_is_offered_hidden_layers_and_no_dropout() -> None:
    linear = project("model: {kind: linear}\ntraining: {epochs: 40, batch_size: 64}\n")
    assert settings(remedies(ladder(BIAS), project=linear, run="base")[0].command or "") == ["model.kind=mlp"]
    assert "dropout" not in tails(remedies(ladder(VARIANCE), project=linear, run="base"))


def test_what_the_project_already_does_is_not_advised() -> None:
    tuned = project(
        "model: {kind: mlp, dropout: 0.5, batch_norm: true}\n"
        "training: {optimizer: adam, epochs: 40, batch_size: 64, schedule: {kind: cosine}}\n"
    )
    bias = tails(remedies(ladder(BIAS), project=tuned, run="base"))
    assert not {"adam", "batch-norm", "cosine", "relu"} & set(bias)
    assert not {"dropout", "early-stopping"} & set(tails(remedies(ladder(VARIANCE), project=tuned, run="base")))
    plain = project("training: {epochs: 40, batch_size: 64, early_stopping: null}\n")
    assert "freer" not in tails(remedies(ladder(BIAS), project=plain, run="base"))
    assert "early-stopping" in tails(remedies(ladder(VARIANCE), project=plain, run="base"))


def test_few_updates_or_strong_regularisation_come_first() -> None:
    hasty = project("training: {epochs: 1, batch_size: 256}\n")
    assert tails(remedies(ladder(BIAS), project=hasty, run="base"))[0] == "longer"
    held = project("model: {kind: mlp, dropout: 0.8}\ntraining: {epochs: 40, batch_size: 64}\n")
    assert tails(remedies(ladder(BIAS), project=held, run="base"))[0] == "freer"


def test_early_stopping_is_said_to_turn_two_knobs() -> None:
    plain = project("training: {epochs: 40, batch_size: 64, early_stopping: null}\n")
    (found,) = [r for r in remedies(ladder(VARIANCE), project=plain, run="base") if r.action.startswith("Stop early")]
    assert "two fits at once" in found.why


def test_more_data_is_the_first_remedy_of_variance_but_a_cheaper_one_goes_first() -> None:
    first, second, *_ = remedies(ladder(VARIANCE), project=project(), run="base")
    assert (first.action, first.command) == ("Get more training data", "mlproj diagnose learning-curve base")
    assert next_command(ladder(VARIANCE), [first, second], subject="base", project=project()) == second.command


def test_without_a_project_remedies_have_no_commands() -> None:
    found = remedies(ladder(BIAS))
    assert len(found) >= 5
    assert all(remedy.command is None for remedy in found)
    assert remedies(ladder(["human=0.5%", "train=0.6%:20000", "dev=0.8%:20000"])) == ()


def test_a_predictions_file_cannot_be_trained_like() -> None:
    found = remedies(ladder(BIAS), project=project(), run="keras.csv")
    assert all(remedy.command is None for remedy in found)


def test_unresolved_gaps_bring_remedies_for_each() -> None:
    unresolved = ladder(["human=0", "train=10%:1000", "train_dev=11%:1000", "dev=20%:1000"])
    gaps = {remedy.gap for remedy in remedies(unresolved, project=project(), run="base")}
    assert gaps == {"avoidable_bias", "data_mismatch"}


def test_a_mismatch_is_looked_into_before_anything_is_collected() -> None:
    mismatch = ladder(MISMATCH)
    found = remedies(mismatch, project=project(), run="base")
    commands = [remedy.command for remedy in found if remedy.gap == "data_mismatch"]
    assert commands == ["mlproj diagnose mismatch base", "mlproj errors export base --out errors.xlsx", None]
    assert next_command(mismatch, found, subject="base", project=project()) == commands[0]
    of_file = remedies(mismatch, project=project(), subject="keras.csv")
    assert of_file[0].command == "mlproj diagnose mismatch keras.csv"


def test_names_and_folders_are_quoted() -> None:
    elsewhere = project("training: {epochs: 40, batch_size: 64}\n", folder="my cats")
    (first, *_) = remedies(ladder(BIAS), project=elsewhere, run="it's; rm")
    assert first.command is not None
    words = shlex.split(first.command)
    assert words[:6] == ["mlproj", "--project", "my cats", "train", "--like", "it's; rm"]
    assert words[-1] == "it's; rm-wider"


def test_rungs_by_hand_are_written_out_with_the_grown_one() -> None:
    texts = ["human=0", "train=10%:1000", "train_dev=11%:1000", "dev=20%:1000"]
    found, given = ladder(texts), parse_rungs(texts)
    words = shlex.split(next_command(found, (), given=given))
    assert words[:3] == ["mlproj", "diagnose", "bias-variance"]
    grown = parse_rungs([words[k + 1] for k, word in enumerate(words) if word == "--rung"])
    assert found.verdict.resolve is not None
    sizes = {rung.name: rung.n for rung in grown}
    assert sizes["dev"] == 1000 + found.verdict.resolve["by"]
    assert sizes["train"] == sizes["train_dev"] == pytest.approx(sizes["dev"], rel=0.05)
    assert ladder_of(None, given=grown).gaps[0].p_largest > found.gaps[0].p_largest


def test_constants_are_offered_a_number_of_examples() -> None:
    texts = ["human=0", "train=10%", "dev=20%"]
    assert "train=0.1:1000" in next_command(ladder(texts), (), given=parse_rungs(texts))


@pytest.mark.parametrize("subject", ["", "base", "keras.csv"])
def test_a_missing_human_level_is_the_next_step(subject: str) -> None:
    texts = ["train=8%:20000", "dev=9%:20000"]
    given = () if subject else parse_rungs(texts)
    words = shlex.split(next_command(ladder(texts), (), subject=subject, given=given))
    assert words[words.index("--human") + 1] == "0.04:3500"
    assert (words[3] == subject) == bool(subject)


def test_a_missing_training_rung_is_the_next_step() -> None:
    assert "--rung train=0.04:4000" in next_command(ladder(["dev=9%:500"]), (), subject="keras.csv", given=())


def test_a_small_dev_set_is_drawn_anew_in_a_project() -> None:
    unresolved = ladder(["human=1%:300", "train=5%:2000", "dev=6.5%:400"])
    assert unresolved.verdict.resolve is not None
    total = 400 + unresolved.verdict.resolve["by"]
    command = next_command(unresolved, (), subject="base", project=project())
    assert command == f"mlproj split --redraw --set splits.dev={total}"
    predefined = project("splits: {column: fold}\n")
    assert next_command(unresolved, (), subject="base", project=predefined) == "mlproj check"
    # with data from elsewhere most of train is not the target's: dealing anew would empty it of what there is
    elsewhere = project().changed(data=project().data.model_copy(update={"extra": ("web.csv",)}))
    assert next_command(unresolved, (), subject="base", project=elsewhere) == "mlproj check"


def test_a_lump_of_variance_and_mismatch_carves_out_a_train_dev_set() -> None:
    lump = ladder(["human=0.5%", "train=1%:5000", "dev=12%:5000"], distributions_differ=True)
    found = remedies(lump, project=project(), run="base")
    assert found[0].command is not None
    assert found[0].command.startswith("mlproj split --redraw --set splits.train_dev=")
    assert next_command(lump, found, subject="base", project=project()) == found[0].command


def test_the_next_ladder_keeps_its_metric() -> None:
    texts = ["human=21500±1400", "train=28900±400", "dev=32100±900"]
    found = ladder(texts, metric="mae", metric_is_asked=True)
    command = commands.diagnose(found, "", parse_rungs(texts), None)
    assert "--metric mae" in command
    again = parse_rungs([word for word in shlex.split(command) if "=" in word])
    assert ladder_of(None, given=again, metric="mae", metric_is_asked=True).gaps == found.gaps


def test_nothing_to_close_looks_closer_once() -> None:
    done = ladder(["human=0.5%", "train=0.6%:20000", "dev=0.8%:20000"])
    assert next_command(done, (), subject="base").endswith("--min-gap 0.0025")
    assert next_command(done, (), subject="base", min_gap=0.002).startswith("mlproj errors export base")
    f1 = project("metric: {optimize: f1}\n")
    assert next_command(done, (), subject="base", project=f1) == "mlproj diagnose bias-variance base --metric f1"


def test_past_human_level_the_other_gaps_are_worked_on() -> None:
    past = ladder(["human=5%", "train=1%:20000", "dev=2%:20000"])
    found = remedies(past, project=project(), run="base")
    assert {remedy.gap for remedy in found} == {"variance"}
    assert next_command(past, found, subject="base", project=project()).startswith("mlproj train --like base")
    assert next_command(past, remedies(past), given=parse_rungs(["dev=2%"])) == "mlproj init"  # where remedies can run


def test_every_gap_has_remedies() -> None:
    assert {action.gap for action in ACTIONS} == {
        "avoidable_bias", "variance", "data_mismatch", "overfitting_to_dev", "variance_or_data_mismatch",
    }  # fmt: skip


def test_overfitting_to_dev_asks_for_a_bigger_dev_set() -> None:
    overfit = ladder(["human=0", "train=1%:20000", "dev=2%:2000", "test=12%:2000"])
    assert overfit.verdict.named == "overfitting_to_dev"
    (first, *_) = remedies(overfit, project=project(), run="base")
    assert first.command == "mlproj split --redraw --set splits.dev=4000"


def test_a_diverged_run_first_needs_smaller_steps() -> None:
    own = project("training: {optimizer: sgd, learning_rate: 3, epochs: 40, batch_size: 64}\n")
    (first, *others) = remedies(ladder(BIAS), project=own, run="base", outcome="diverged")
    assert settings(first.command or "") == ["training.learning_rate=0.1"]
    assert "longer" not in tails(others)
    assert "slower" not in tails(remedies(ladder(BIAS), project=own, run="base", outcome="completed"))


def test_nothing_is_advised_against_a_gap_that_is_not_there() -> None:
    ladder = ladder_of(None, given=parse_rungs(["train=0:20", "dev=0.05:40"]))
    assert ladder.verdict.state == "unresolved"
    assert {remedy.gap for remedy in remedies(ladder)} == {"variance"}


def test_a_linear_model_with_bias_is_first_told_to_become_a_network() -> None:
    project = make_project({"name": "p", "data": {"source": "a.csv", "label": "y"}, "model": {"kind": "linear"}})
    ladder = ladder_of(None, given=parse_rungs(["human=0", "train=0.2:5000", "dev=0.21:5000"]))
    first = remedies(ladder, project=project, run="straight", outcome="early_stopped")[0]
    assert first.command is not None
    assert "--set model.kind=mlp" in first.command


def test_a_gap_of_two_causes_first_asks_for_a_train_dev_set() -> None:
    data = {"source": "a.csv", "extra": ["b.csv"], "label": "y"}
    project = make_project({"name": "p", "data": data, "splits": {"train_dev": 0}})
    given = parse_rungs(["human=0.02:100", "train=0.02:400", "dev=0.06:100"])
    ladder = ladder_of(None, given=given, distributions_differ=True)
    assert (ladder.verdict.state, ladder.verdict.candidates[0]) == ("unresolved", "variance_or_data_mismatch")
    command = next_command(ladder, remedies(ladder, project=project, run="r"), subject="r", project=project)
    assert "split --redraw --set splits.train_dev=" in command


def test_a_gap_that_was_not_measured_has_no_remedies_yet() -> None:
    found = ladder(("human=0.02", "dev=10%:2000"))
    assert found.verdict.state == "unresolved"
    assert remedies(found) == ()
    assert "--rung train=" in next_command(found, ())
