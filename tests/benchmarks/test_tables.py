import pytest


def test_tables_show_what_was_measured():
    from _tables import README, fill_in

    text = README.read_text()
    assert fill_in(text) == text, "run `python -m benchmarks --tables`"


def test_a_table_that_nobody_makes_is_told():
    from _tables import fill_in

    assert fill_in("no table\n") == "no table\n"
    with pytest.raises(ValueError, match="no table 'speeds'"):
        fill_in("<!-- table speeds -->\n\n<!-- end -->\n")


def test_what_a_table_showed_before_is_replaced():
    from _tables import fill_in

    page = "before\n<!-- table edits -->\n\n| old |\n\n<!-- end -->\nafter\n"
    filled = fill_in(page)
    assert "old" not in filled
    assert filled.startswith("before\n<!-- table edits -->\n\n| images in the set | median, ms |")
    assert filled.endswith("|\n\n<!-- end -->\nafter\n")
