import copy
from itertools import product
import os
import pickle
from time import perf_counter
import warnings

import numpy as np
import pandas as pd
import pytest

from skpose import Skeleton

NAMES = ["tail", "hip", "kneeL", "kneeR"]  # the root is neither first nor the only one


@pytest.fixture
def skeleton():
    return Skeleton(NAMES, ["hip", "", "hip", "hip"], ["", "", "kneeR", "kneeL"])


# what a skeleton knows


def test_positions_of_parents_and_partners(skeleton):
    assert skeleton.names == tuple(NAMES)
    assert len(skeleton) == 4
    assert skeleton.parents.tolist() == [1, -1, 1, 1]
    assert skeleton.swap_index.tolist() == [0, 1, 3, 2]
    assert skeleton.has_swaps
    assert skeleton.edges.tolist() == [[1, 0], [1, 2], [1, 3]]
    assert skeleton.roots.tolist() == [1]


def test_names_alone():
    skeleton = Skeleton(["a", "b"])
    assert skeleton.parents.tolist() == [-1, -1]
    assert skeleton.swap_index.tolist() == [0, 1]
    assert not skeleton.has_swaps
    assert skeleton.edges.shape == (0, 2)
    assert skeleton.roots.tolist() == [0, 1]
    assert skeleton.limbs.tolist() == [0, 1]


def test_limbs_are_the_trees_in_the_order_of_their_roots():
    #                  a -> c -> e,  b -> d,  f alone
    skeleton = Skeleton("abcdef", [None, None, "a", "b", "c", None])
    assert skeleton.limbs.tolist() == [0, 1, 0, 1, 0, 2]


def test_limb_of_a_child_before_its_root():
    assert Skeleton("abc", ["b", "c", None]).limbs.tolist() == [0, 0, 0]


def test_swapping_twice_is_identity(skeleton):
    keypoints = np.random.default_rng(0).uniform(size=(5, 4, 2))
    swapped = keypoints[:, skeleton.swap_index]
    assert not np.array_equal(swapped, keypoints)
    np.testing.assert_array_equal(swapped[:, skeleton.swap_index], keypoints)


def test_repr_counts_each_pair_once(skeleton):
    assert repr(skeleton) == "<Skeleton of 4 bodyparts, 3 edges, 1 left/right pairs>"


def test_arrays_cannot_change_the_skeleton(skeleton):
    with pytest.raises(ValueError, match="read-only"):
        skeleton.parents[0] = 2
    skeleton.swap_index[:] = 0
    skeleton.edges[:] = 0
    assert skeleton.swap_index.tolist() == [0, 1, 3, 2]
    assert skeleton.edges.tolist() == [[1, 0], [1, 2], [1, 3]]
    with pytest.raises(AttributeError, match="names"):
        skeleton.names = ("a",)


# ways to give parents and partners


@pytest.mark.parametrize("none", [None, "", -1, float("nan"), np.nan, np.int64(-1)], ids=repr)
def test_none_is_understood_in_every_form(skeleton, none):
    same = Skeleton(NAMES, ["hip", none, 1, np.int32(1)], [none, none, 3.0, "kneeL"])
    assert same == skeleton


def test_names_become_str():
    skeleton = Skeleton(np.array(["a", "b"]), np.array(["", "a"]))
    assert all(type(name) is str for name in skeleton.names)
    assert skeleton.parents.tolist() == [-1, 0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([],), "`names` is empty"),
        ((["a", "b", "a"],), "Row 2: bodypart name 'a' is empty or occurs twice"),
        ((["a", ""],), "Row 1: bodypart name '' is empty"),
        ((["a", "b"], ["", ""], [""]), "2 bodyparts need as many swaps, but got 1"),
        ((["a", "b"], [""]), "2 bodyparts need as many parents, but got 1"),
        ((["a", "b"], ["", "c"]), r"Row 1 \('b'\): parent 'c' is not a bodypart.*are a, b"),
        ((["a", "b"], ["", 2]), r"Row 1 \('b'\): parent 2 is out of range"),
        ((["a", "b"], ["", "b"]), r"Row 1 \('b'\): a bodypart cannot be its own parent"),
        ((["a", "b"], None, ["a", ""]), r"Row 0 \('a'\): a bodypart cannot be its own swap"),
        ((["a", "b"], None, ["c", ""]), r"Row 0 \('a'\): swap 'c' is not a bodypart"),
        (("abc", ["b", "c", "a"]), "the parents form a cycle: a -> b -> c -> a"),
        (("abcd", [None, "c", "d", "b"]), "Row 1 .*the parents form a cycle: b -> c -> d -> b"),
        (("abc", None, ["b", "c", ""]), r"Row 0 \('a'\) swaps with 'b', but row 1 \('b'\) swaps"),
        (("ab", None, ["b", ""]), r"row 1 \('b'\) swaps with none; partners must name each other"),
    ],
)
def test_wrong_tables_name_the_row(arguments, message):
    with pytest.raises(ValueError, match=message):
        Skeleton(*arguments)


# equality, copies


def test_equal_skeletons_have_equal_hashes(skeleton):
    same = Skeleton(NAMES, [1, None, 1, 1], [-1, -1, 3, 2])
    assert same == skeleton
    assert hash(same) == hash(skeleton)
    assert len({same, skeleton}) == 1


@pytest.mark.parametrize(
    "other",
    [
        Skeleton(NAMES),
        Skeleton(NAMES, ["hip", "", "hip", "hip"]),
        Skeleton(NAMES, None, ["", "", "kneeR", "kneeL"]),
        Skeleton(["tail", "hips", "kneeL", "kneeR"], [1, -1, 1, 1], [-1, -1, 3, 2]),
        tuple(NAMES),
        None,
    ],
    ids=repr,
)
def test_other_skeletons_are_not_equal(skeleton, other):
    assert skeleton != other


@pytest.mark.parametrize(
    "copied",
    [
        copy.copy,
        copy.deepcopy,
        lambda s: pickle.loads(pickle.dumps(s)),
        lambda s: Skeleton.from_dict(s.to_dict()),
        lambda s: Skeleton.from_frame(s.to_frame()),
    ],
)
def test_copies_are_equal(skeleton, copied):
    same = copied(skeleton)
    assert same == skeleton
    assert same.parents.dtype == skeleton.parents.dtype


def test_scikit_learn_clones_an_estimator_with_a_skeleton(skeleton):
    from sklearn.base import BaseEstimator, clone

    class Estimator(BaseEstimator):
        def __init__(self, skeleton=None):
            self.skeleton = skeleton

    assert clone(Estimator(skeleton)).skeleton == skeleton


# names


@pytest.mark.parametrize(
    ("names", "swap_index"),
    [
        (["snout", "leftear", "rightear"], [0, 2, 1]),
        (["eyeL", "head", "eyeR"], [2, 1, 0]),
        (["forelegL1", "forelegR1", "forelegL2"], [1, 0, 2]),
        (["Left_paw", "Right_paw"], [1, 0]),
        (["LEFTEYE", "RIGHTEYE"], [1, 0]),
        (["l_wing", "r_wing"], [1, 0]),
        (["LF", "RF", "LR", "RR"], [1, 0, 3, 2]),
        (["FL", "FR", "RL", "RR"], [1, 0, 3, 2]),
        (["leftear", "Rightear"], [0, 1]),
        (["tail", "head"], [0, 1]),
    ],
)
def test_partners_guessed_from_names(names, swap_index):
    assert Skeleton.from_names(names, guess_swaps=True).swap_index.tolist() == swap_index


def test_partners_are_not_guessed_unasked():
    assert not Skeleton.from_names(["leftear", "rightear"]).has_swaps


def test_from_names_takes_any_iterable():
    names = (name for name in ("eyeL", "eyeR"))
    assert Skeleton.from_names(names, guess_swaps=True).names == ("eyeL", "eyeR")


# tables


def test_csv_is_read_back(skeleton, tmp_path):
    path = tmp_path / "skeleton.csv"
    skeleton.to_csv(path)
    assert path.read_text().splitlines()[0] == "name,parent,swap"
    assert Skeleton.from_csv(path) == skeleton
    assert Skeleton.from_csv(str(path)) == skeleton


def test_csv_with_odd_names_is_read_back(tmp_path):
    skeleton = Skeleton(["Fühler, links", 'the "nose"', "鼠"], [None, 0, 1])
    skeleton.to_csv(tmp_path / "skeleton.csv")
    assert Skeleton.from_csv(tmp_path / "skeleton.csv") == skeleton


@pytest.mark.parametrize(
    "text",
    [
        "name,parent,swap\na,,b\nb,a,a\n",
        "\ufeffname,parent,swap\r\na,,b\r\nb,a,a\r\n",
        "name, parent, swap\na, , b\nb, a, a\n\n",
        "swap,name,parent,note\nb,a,,x\na,b,a,y",
        "name,parent,swap\na,NaN,b\nb,a,a\n",
        "name,parent,swap\na,NA,b\nb,a,a\n",
        "name,parent,swap,\na,,b,\nb,a,a,\n,,,\n",
    ],
)
def test_csv_as_others_write_it(tmp_path, text):
    path = tmp_path / "skeleton.csv"
    path.write_text(text, encoding="utf-8", newline="")
    assert Skeleton.from_csv(path) == Skeleton("ab", ["", "a"], ["b", "a"])


def test_csv_without_partners(tmp_path):
    path = tmp_path / "skeleton.csv"
    path.write_text("name,parent\na,\nb,a\n")
    assert Skeleton.from_csv(path) == Skeleton("ab", [None, 0])


@pytest.mark.parametrize("text", ["", "name,parent,swap\n", "x,y\n1,2\n"])
def test_file_that_is_no_table_is_named(tmp_path, text):
    path = tmp_path / "points.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"points\.csv is not a skeleton table"):
        Skeleton.from_csv(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"name;parent\na;\n", r"points\.csv has semicolons between its columns. Save it with"),
        (b"name\tparent\na\t\n", r"points\.csv has tabs between its columns"),
        ("name,parent\nFühler,\n".encode("cp1252"), r"points\.csv is not a text in UTF-8"),
        ("name,parent\na,\n".encode("utf-16"), r"points\.csv is not .* Save it again as CSV"),
        (b"name,parent,parent\na,,\n", r"points\.csv has two columns of one name: parent"),
        (b"name,parent\na,,b\n", r"points\.csv has values in columns without names"),
    ],
)
def test_table_saved_otherwise_says_what_to_do(tmp_path, content, message):
    path = tmp_path / "points.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        Skeleton.from_csv(path)


def test_bodypart_may_be_called_na(tmp_path):
    path = tmp_path / "skeleton.csv"
    path.write_text("name,parent\nNA,NaN\nb,NA\n")
    assert Skeleton.from_csv(path) == Skeleton(["NA", "b"], [None, 0])


def test_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(ValueError, match=r"pipe\.csv cannot be read: it is no file"):
        Skeleton.from_csv(tmp_path / "pipe.csv")


def test_missing_csv(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone\.csv"):
        Skeleton.from_csv(tmp_path / "gone.csv")


def test_frame_as_pandas_reads_it(skeleton, tmp_path):
    skeleton.to_csv(tmp_path / "skeleton.csv")
    frame = pd.read_csv(tmp_path / "skeleton.csv")
    assert frame["swap"].isna().sum() == 2
    assert Skeleton.from_frame(frame) == skeleton


def test_frame_without_a_name_names_the_row():
    frame = pd.DataFrame({"name": ["a", None], "parent": ["", "a"]})
    with pytest.raises(ValueError, match="Row 1: bodypart name '' is empty"):
        Skeleton.from_frame(frame)


@pytest.mark.parametrize("dtype", ["object", "string"])
def test_frame_with_missing_values_of_pandas(dtype):
    frame = pd.DataFrame({"name": ["a", "b"], "parent": pd.Series([pd.NA, "a"], dtype=dtype)})
    assert Skeleton.from_frame(frame) == Skeleton("ab", [None, 0])


def test_table_without_a_column_names_it():
    with pytest.raises(ValueError, match=r"needs the column\(s\) name, parent"):
        Skeleton.from_dict({"swap": ["", ""]})
    with pytest.raises(ValueError, match=r"needs the column\(s\) parent"):
        Skeleton.from_frame(pd.DataFrame({"name": ["a"]}))


# partners that contradict each other


def from_claims(claims):
    """A skeleton of the bodyparts a, b, ... with the partner that each claims, -1 for none."""
    names = list("abcdefgh"[: len(claims)])
    return Skeleton.from_dict({"name": names, "parent": [""] * len(names), "swap": claims})


def pairings(bodyparts, claims):
    """All ways to pair the bodyparts so that each pair is claimed by at least one of the two."""
    if not bodyparts:
        return [{}]
    first, *rest = bodyparts
    return [
        {first: other, other: first, **pairing}
        for other in rest
        if claims[first] == other or claims[other] == first
        for pairing in pairings([i for i in rest if i != other], claims)
    ]


def test_only_what_is_unambiguous_is_repaired():
    n_repaired = 0
    for claims in product(range(-1, 4), repeat=4):
        claimants = [i for i in range(4) if claims[i] >= 0]
        if any(claims[i] == i for i in claimants):
            continue
        involved = sorted({*claimants, *(claims[i] for i in claimants)})
        agreeing = pairings(involved, claims)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                swap_index = from_claims(claims).swap_index.tolist()
            except ValueError:
                swap_index = None
        if all(claims[claims[i]] == i for i in claimants):
            expected, n_warnings = {i: claims[i] for i in claimants}, 0
        elif len(agreeing) == 1 and any(claims[claims[i]] not in (-1, i) for i in claimants):
            expected, n_warnings = agreeing[0], 1
        else:
            expected, n_warnings = None, 0
        n_repaired += n_warnings
        assert len(caught) == n_warnings, claims
        if expected is None:
            assert swap_index is None, claims
        else:
            assert swap_index == [expected.get(i, i) for i in range(4)], claims
    assert n_repaired > 0


def test_repair_tells_what_the_rows_say_and_what_was_assumed():
    message = (
        r"contradict each other: row 1 \('b'\) swaps with 'c'; row 3 \('d'\) swaps with 'b'\. "
        r"Assumed: 'b' with 'd'\."
    )
    with pytest.warns(UserWarning, match=message):
        skeleton = from_claims([2, 2, 0, 1])
    assert skeleton.swap_index.tolist() == [2, 3, 0, 1]


def test_refusal_quotes_the_table():
    with pytest.raises(ValueError, match=r"Row 0 \('a'\) swaps with 'b', but row 1 .* with 'c'"):
        from_claims([1, 2, -1])


def test_warning_of_a_table_points_to_the_caller(tmp_path):
    path = tmp_path / "skeleton.csv"
    path.write_text("name,parent,swap\na,,c\nb,,c\nc,,a\nd,,b\n")
    with pytest.warns(UserWarning, match="contradict each other") as caught:
        Skeleton.from_csv(path)
    assert caught[0].filename == __file__


# real tables


@pytest.mark.data
def test_partners_of_the_fly_are_repaired(data_dir):
    with pytest.warns(UserWarning, match=r"row 12 \('midlegR3'\) swaps with 'midlegL2'"):
        skeleton = Skeleton.from_csv(data_dir / "fly" / "skeleton.csv")
    assert len(skeleton) == 32
    assert skeleton == Skeleton(
        skeleton.names,
        skeleton.parents,
        [j if j != i else None for i, j in enumerate(guessed(skeleton).swap_index)],
    )


@pytest.mark.data
@pytest.mark.parametrize(("name", "n_keypoints", "n_roots"), [("locust", 35, 9), ("zebra", 9, 2)])
def test_real_tables(data_dir, tmp_path, name, n_keypoints, n_roots):
    skeleton = Skeleton.from_csv(data_dir / "coco" / f"{name}_skeleton.csv")
    assert len(skeleton) == n_keypoints
    assert len(skeleton.roots) == n_roots
    assert len(skeleton.edges) == n_keypoints - n_roots
    assert skeleton.swap_index.tolist() == guessed(skeleton).swap_index.tolist()
    skeleton.to_csv(tmp_path / "copy.csv")
    assert Skeleton.from_csv(tmp_path / "copy.csv") == skeleton


@pytest.mark.data
def test_root_of_the_zebra_tail_is_not_first_in_its_tree(data_dir):
    skeleton = Skeleton.from_csv(data_dir / "coco" / "zebra_skeleton.csv")
    assert [skeleton.names[i] for i in skeleton.roots] == ["snout", "tailbase"]
    assert skeleton.names[5:] == ("hindlegL1", "hindlegR1", "tailbase", "tailtip")
    assert skeleton.limbs.tolist() == [0] * 5 + [1] * 4


def guessed(skeleton):
    return Skeleton.from_names(skeleton.names, guess_swaps=True)


@pytest.mark.clock
@pytest.mark.parametrize("kind", ["chain", "pairs", "contradictions"])
def test_many_bodyparts_take_no_time(kind):
    n_names = 20_000
    names = [f"{'right' if i % 2 else 'left'}{i // 2}" for i in range(n_names)]
    start = perf_counter()
    if kind == "chain":
        skeleton = Skeleton(names, ["", *names[:-1]])
        assert not skeleton.limbs.any()
    elif kind == "pairs":
        skeleton = Skeleton.from_names(names, guess_swaps=True)
        assert (skeleton.swap_index.reshape(-1, 2) - np.arange(n_names).reshape(-1, 2)).any()
    else:
        table = {"name": names, "parent": [-1] * n_names, "swap": [*names[1:], ""]}
        with pytest.warns(UserWarning, match="contradict each other"):
            skeleton = Skeleton.from_dict(table)
        assert skeleton.has_swaps
    assert perf_counter() - start < 2


def test_message_of_many_names_is_short():
    names = [f"part{i}" for i in range(20_000)]
    with pytest.raises(ValueError, match="part29 and 19970 more") as error:
        Skeleton(names, ["nowhere"] * len(names))
    assert len(str(error.value)) < 500
    with pytest.raises(ValueError, match="the parents form a cycle") as error:
        Skeleton(names, [*names[1:], names[0]])
    assert len(str(error.value)) < 500
