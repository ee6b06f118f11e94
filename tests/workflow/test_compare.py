"""Two runs or files held against each other, as a user would."""

from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mlproj
from mlproj.errors import InputError, InvalidInput
from mlproj.metrics import Paired
from mlproj.records import Run
from mlproj.workflow.seeds import seed_noise
from mlproj.workflow.train import Trained

N = 400
TRUTH = np.where(np.arange(N) < 200, "no", "yes")


def answers(wrong: Any, truth: Any = TRUTH) -> Any:
    """Answers that are wrong at some positions."""
    said = np.array(truth, dtype=object)
    said[wrong] = np.where(said[wrong] == "yes", "no", "yes")
    return said


def write(name: str, said: Any, ids: Any = None, **more: Any) -> str:
    truth = more.pop("truth", TRUTH)
    index = np.arange(len(said)) if ids is None else ids
    pd.DataFrame({"id": index, "y_true": truth, "y_pred": said} | more).to_csv(name, index=False)
    return name


@pytest.fixture
def pair() -> tuple[str, str]:
    """Two files: 30 and 10 errors of 400, 8 of them in common."""
    return write("a.csv", answers(np.arange(30))), write("b.csv", answers([*range(8), 300, 301]))


def test_files_are_compared_without_a_project(pair: tuple[str, str]) -> None:
    document = mlproj.compare(*pair).document()
    assert (document["n"], document["metric"], document["split"]) == (400, "error", "dev")
    assert (document["a_value"], document["b_value"]) == (30 / 400, 10 / 400)
    assert (document["only_a_right"], document["only_b_right"]) == (2, 22)
    assert document["difference"]["value"] == pytest.approx(-0.05)
    midp = stats.binomtest(2, 24).pvalue - stats.binom.pmf(2, 24, 0.5)
    assert document["p_b_better"] == pytest.approx(1 - midp / 2)
    assert (document["better"], document["resolve"]) == ("b", None)
    assert document["verdict"].startswith(
        "b (b.csv) is better: error 2.5 % against 7.5 %, difference b − a −5.0 points ("
    )


def test_the_other_way_round_it_says_the_same(pair: tuple[str, str]) -> None:
    one, other = mlproj.compare(*pair).document(), mlproj.compare(*pair[::-1]).document()
    assert one["difference"]["low"] == pytest.approx(-other["difference"]["high"])
    assert one["p_b_better"] == pytest.approx(1 - other["p_b_better"])
    assert (other["better"], other["only_a_right"]) == ("a", one["only_b_right"])
    assert other["verdict"].startswith("a (b.csv) is better: error 2.5 % against 7.5 %")


def test_scores_are_better_the_other_way(pair: tuple[str, str]) -> None:
    document = mlproj.compare(*pair, metric="f1").document()
    assert document["difference"]["value"] > 0
    assert document["better"] == "b"


def test_too_few_examples_say_how_many_would_tell() -> None:
    a, b = write("a.csv", answers(np.arange(12))), write("b.csv", answers(np.arange(6, 15)))
    document = mlproj.compare(a, b).document()
    assert document["better"] is None
    assert document["verdict"].startswith("Cannot tell yet: error 2.2 % against 3.0 %")
    assert document["resolve"]["grow"] == "dev"
    q, delta, z, beta = 9 / 400, 3 / 400, 1.959964, 0.841621
    needed = ((z * q**0.5 + beta * (q - delta**2) ** 0.5) / delta) ** 2 - 400
    assert needed <= document["resolve"]["by"] <= 1.15 * needed  # rounded up
    assert f"About {document['resolve']['by']:,} more dev examples would tell" in document["verdict"]


def test_equal_within_what_is_worth_working_for() -> None:
    truth = np.tile(TRUTH, 50)
    a = write("a.csv", answers(np.arange(1000), truth), truth=truth)
    b = write("b.csv", answers(np.arange(3, 1001), truth), truth=truth)
    document = mlproj.compare(a, b).document()
    assert document["verdict"].startswith("They are equal within 0.5 points")
    assert (document["better"], document["resolve"]) == (None, None)


def test_the_same_answers_are_said_to_be_the_same() -> None:
    document = mlproj.compare(write("a.csv", answers([1])), write("b.csv", answers([1]))).document()
    assert "both give the same answers to these 400 examples" in document["verdict"]
    assert document["p_b_better"] == 0.5


def test_only_common_examples_count_and_it_is_said() -> None:
    a = write("a.csv", answers(np.arange(20)))
    b = write("b.csv", answers(np.arange(10))[5:], ids=np.arange(5, N), truth=TRUTH[5:])
    document = mlproj.compare(a, b).document()
    assert document["n"] == 395
    assert document["notes"] == ["Compared on the 395 dev examples of both; left aside: 5 that only a answered."]


def test_numbers_are_compared_by_rmse_and_have_no_right_answers() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(100, 10, N)
    a = write("a.csv", truth + rng.normal(0, 2, N), truth=truth)
    b = write("b.csv", truth + rng.normal(0, 1, N), truth=truth)
    document = mlproj.compare(a, b).document()
    assert (document["metric"], document["better"], document["only_a_right"]) == ("rmse", "b", None)
    assert mlproj.compare(a, b, metric="mae").document()["difference"]["high"] < 0


def test_weights_groups_and_several_labels_work() -> None:
    more = {"y_true:dog": TRUTH[::-1], "weight": np.where(np.arange(N) % 7, 1, 9), "group": np.arange(N) // 4}
    for name, wrong in (("a.csv", 160), ("b.csv", 10)):
        frame = {"y_true:cat": TRUTH, "y_pred:cat": answers(np.arange(wrong)), "y_pred:dog": answers([3], TRUTH[::-1])}
        pd.DataFrame({"id": np.arange(N)} | frame | more).to_csv(name, index=False)
    document = mlproj.compare("a.csv", "b.csv").document()
    weights = more["weight"]
    assert document["a_value"] == pytest.approx((weights[:160].sum() + weights[3]) / weights.sum() / 2)
    assert (document["only_a_right"], document["only_b_right"], document["better"]) == (0, 150, "b")


def test_undefined_metrics_are_no_verdict() -> None:
    truth, p = np.repeat("yes", N), np.linspace(0, 1, N)
    for name in ("a.csv", "b.csv"):
        pd.DataFrame({"id": np.arange(N), "y_true": truth, "p_no": 1 - p, "p_yes": p}).to_csv(name, index=False)
        p = p**2
    document = mlproj.compare("a.csv", "b.csv", metric="roc_auc").document()
    assert document["difference"] == {"value": None, "low": None, "high": None}
    assert (document["p_b_better"], document["better"]) == (None, None)
    assert "roc_auc is undefined" in document["verdict"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"split": "test"}, r"--split: test is sealed(?s:.)*mlproj evaluate RUN"),
        ({"split": "train-dev "}, "--split: 'train-dev ' is no split"),
        ({"split": "val"}, r"no split to compare on(?s:.)*dev, train or train_dev"),
        ({"split": "train"}, r"a.csv holds no train predictions, only dev(?s:.)*--split"),
        ({"metric": "f1_macr"}, r"--metric: 'f1_macr' is no metric(?s:.)*Did you mean `f1_macro`"),
        ({"metric": "latency_ms"}, "--metric: latency_ms is measured when a model is trained"),
        ({"metric": "rmse"}, r"rmse is a regression metric|is no number"),
        ({"metric": "roc_auc"}, r"--metric: roc_auc is computed from probabilities(?s:.)*p_<class>"),
        ({"b": "a.csv"}, r"Both mean a.csv: there is nothing to compare"),
        ({"b": "./a.csv"}, r"Both mean a.csv"),
        ({"b": "nowhere.csv"}, r"nowhere\.csv"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_a_way_out(
    pair: tuple[str, str], change: dict[str, str], message: str
) -> None:
    options = {"a": pair[0], "b": pair[1]} | change
    with pytest.raises(InputError, match=message):
        mlproj.compare(**options)


def test_truth_that_differs_is_refused_for_files(pair: tuple[str, str]) -> None:
    other = write("c.csv", answers([1]), truth=answers([399]))
    with pytest.raises(InvalidInput, match=r"1 of 400 labels differ, first '399': a.csv says yes and c.csv says no"):
        mlproj.compare(pair[0], other)


# ---- runs


@pytest.fixture(scope="module")
def shop(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trained flower project with a second, larger model, and the first with another seed."""
    home = copytree(trained.project.root, tmp_path_factory.mktemp("shop") / "flowers")
    mlproj.train(home, name="large", set=["training.epochs=20", "model.hidden=64"])
    mlproj.train(home, name="again", set=["seed=5"])
    return home


def test_runs_are_compared_by_what_the_project_optimises_contract_first(shop: Path) -> None:
    document = mlproj.compare("first", "large", project=shop).document()
    assert (document["metric"], document["n"]) == ("f1_macro", 150)
    assert (document["a"]["name"], document["b"]["name"]) == ("first", "large")
    assert [row["metric"] for row in document["contract"]["a"]] == ["accuracy", "latency_ms"]
    assert document["better"] == "b"


def run(spec: str, seed: int, value: float, outcome: str = "completed", data: str = "d") -> Run:
    """A finished training as the store has it."""
    params = {"seed": str(seed), "model.kind": spec, "training.device": f"cuda:{seed}", "about": f"{value}"}
    tags = {"mlproj.data_hash": data}
    return Run(
        f"{spec}{seed}{outcome}", spec, "train", "FINISHED", float(seed), outcome, params, {"dev/f1": value}, tags
    )


APART = Paired(-0.05, -0.09, -0.01, 0.01, 300, "")


def test_seeds_in_the_store_speak_of_the_procedures() -> None:
    a, b = [run("a", seed, 0.80 + 0.01 * seed) for seed in range(4)], [run("b", s, 0.75 + 0.02 * s) for s in range(3)]
    others = [run("a", 9, 0.1, "diverged"), run("a", 8, 0.1, data="other")]
    noise = seed_noise([*a, *b, *others], a[0], b[0], "dev/f1", APART)
    assert noise is not None
    assert sorted(noise.a) == pytest.approx([0.80, 0.81, 0.82, 0.83])
    assert sorted(noise.b) == pytest.approx([0.75, 0.77, 0.79])
    assert noise.spread == pytest.approx(np.sqrt((3 * np.var(noise.a, ddof=1) + 2 * np.var(noise.b, ddof=1)) / 5))
    assert noise.difference is not None
    assert noise.difference.value == pytest.approx(-0.045)
    assert noise.exceeds == (noise.difference.high < 0)


def test_seeds_of_one_spec_alone_say_how_far_two_trainings_differ() -> None:
    a, b = [run("a", seed, 0.80 + 0.01 * seed) for seed in range(3)], run("b", 0, 0.75)
    noise = seed_noise([*a, b], a[0], b, "dev/f1", APART)
    assert noise is not None
    assert noise.difference is None
    assert noise.reach == pytest.approx(stats.t.ppf(0.975, 2) * 0.01 * np.sqrt(2))
    assert not noise.exceeds


def test_two_seeds_are_too_few_and_one_spec_is_no_comparison() -> None:
    a = [run("a", seed, 0.8) for seed in range(4)]
    assert seed_noise([*a[:2], run("b", 0, 0.7)], a[0], run("b", 0, 0.7), "dev/f1", APART) is None
    assert seed_noise(a, a[0], a[1], "dev/f1", APART) is None


def test_two_seeds_of_one_spec_are_said_to_be_that(shop: Path) -> None:
    notes = mlproj.compare("first", "again", project=shop).notes
    assert "Both are the same spec with other seeds: what differs between them is chance." in notes


def test_a_run_and_a_file_are_compared_by_the_ids_of_the_project(shop: Path) -> None:
    part = mlproj.compare("first", "large", project=shop).a.predictions
    assert part is not None
    dev = part.part("dev")
    names = np.array(dev.answers.classes)
    pd.DataFrame({"id": dev.ids, "y_pred": names[dev.answers.y_true]}).to_csv("perfect.csv", index=False)
    compared = mlproj.compare("first", "perfect.csv", project=shop)
    assert (compared.rows[0].b, compared.n, compared.better) == (1.0, 150, "b")
    assert compared.contract["b"][0].status == "met"
    assert compared.contract["b"][1].status == "unknown"  # nobody measured its latency


def test_what_train_returned_can_be_compared_and_train_too(trained: Trained, shop: Path) -> None:
    compared = mlproj.compare(trained, "large", split="train", project=shop)
    assert (compared.split, compared.n, compared.a.selector) == ("train", 1350, "first")


def test_a_violated_contract_loses_however_good_the_metric(shop: Path) -> None:
    spec = (shop / "project.yaml").read_text()
    (shop / "project.yaml").write_text(spec.replace(">= 0.5", ">= 0.92"))
    try:
        document = mlproj.compare("first", "large", project=shop, metric="log_loss").document()
    finally:
        (shop / "project.yaml").write_text(spec)
    states = [{row["metric"]: row["status"] for row in document["contract"][side]}["accuracy"] for side in "ab"]
    assert states == ["violated", "met"]
    assert document["verdict"].startswith("b (large) is better by contract: a (first) violates it (accuracy 0.")


def test_labels_corrected_between_two_runs_are_said(copy_of_trained: Path) -> None:
    home = copy_of_trained
    frame = pd.read_csv(home / "app.csv")
    wrong = frame.sample(60, random_state=1).index
    frame.loc[wrong, "kind"] = frame.loc[wrong, "kind"].map({"iris": "rose", "rose": "lily", "lily": "iris"})
    frame.to_csv(home / "app.csv", index=False)
    mlproj.train(home, name="after")
    notes = " ".join(mlproj.compare("first", "after", project=home).notes)
    assert "The dev set changed between the two (labels or examples): both are held to the labels of b" in notes
    assert "labels differed between the two; both are held to those of the newer" in notes
