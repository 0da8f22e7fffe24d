import logging

from skpose._messages import tell


def test_messages_are_printed_where_nobody_logs(capsys):
    tell("quiet", verbose=0)
    tell("loud", verbose=1)
    assert capsys.readouterr() == ("", "loud\n")


def test_messages_are_logged_for_who_wants_them(caplog, capsys):
    with caplog.at_level(logging.INFO, logger="skpose"):
        tell("quiet", verbose=0)
        tell("loud", verbose=1)
    assert caplog.messages == ["quiet", "loud"]
    assert capsys.readouterr() == ("", "")


def test_logging_is_not_configured():
    logger = logging.getLogger("skpose")
    assert (logger.level, logger.handlers, logger.propagate) == (logging.NOTSET, [], True)
