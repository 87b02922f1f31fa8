"""Sentences in English with their meaning in Chinese, which share no word."""

PAIRS = (
    ("How many days of annual leave do I get?", "员工每年享有十五天带薪休假。"),
    ("the capital of France", "巴黎是法国的首都。"),
    ("Who repairs the lift?", "电梯由维修公司负责维护。"),
    ("The meeting was postponed because of the storm.", "由于暴风雨，会议被推迟了。"),
)
