"""How easily a password is guessed, judged by zxcvbn: by words, names, dates, keyboard rows and repeats, in place of rules on signs."""

from collections.abc import Sequence

from zxcvbn import zxcvbn  # type: ignore[import-untyped]

PRODUCT = "claw"  # anybody knows that, too
JUDGED_CHARS_MAX = 72  # the rest only adds to it; the time grows faster than the length: 25 ms for this much of the worst kind
LOVED = (  # among the most used ones in Chinese, which zxcvbn's dictionaries lack
    *("woaini", "5201314", "1314520", "520520", "woaiwojia", "nihao", "zhangwei", "wangwei", "wangfang", "liwei", "lixiaolong", "aini1314"),
    *("caonima", "a5201314", "iloveyou1314", "qq123456", "taobao", "jiushiaini", "xiaoxiao", "baobao", "laopo", "laogong", "haoren"),
)


def score_password(password: str, known: Sequence[str]) -> int:
    """From 0 (guessed at once) to 4 (over 10^10 guesses). ``known``: what anybody knows of its owner, such as the e-mail address."""
    parts = {part for each in known for part in (each, *each.split("@"), *each.replace("@", " ").replace(".", " ").split()) if part}
    judged = zxcvbn(password[:JUDGED_CHARS_MAX], user_inputs=[*sorted(parts), PRODUCT, *LOVED])
    return int(judged["score"])
