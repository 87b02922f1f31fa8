"""The text of notices in both languages, and which channels each kind has unless its reader chooses."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from schemas.notices import Channel, Language, NoticeKind, NoticePreferences

VALUE_CHARS_MAX = 200  # of a field inside a text

DEFAULT_CHANNELS: Mapping[NoticeKind, tuple[Channel, ...]] = {
    "document.indexed": ("in_app",),
    "document.failed": ("in_app",),
    "quota.nearly_used": ("in_app", "mail"),
    "budget.nearly_spent": ("in_app", "mail"),
    "webhook.disabled": ("in_app", "mail"),
    "dead_letter": ("in_app",),
    "config.stage_ended": ("in_app", "mail"),
    "health_check.failed": ("in_app", "mail"),
}

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class NoticeText(NamedTuple):
    """A line, and the sentences below it."""

    title: str
    body: str


_TEXTS: Mapping[NoticeKind, Mapping[Language, NoticeText]] = {
    "document.indexed": {
        "en": NoticeText("“{title}” can be searched", "The document was read and indexed. Questions find it from now on."),
        "zh": NoticeText("《{title}》已可检索", "文档已解析并建立索引，现在提问即可检索到它。"),
    },
    "document.failed": {
        "en": NoticeText("“{title}” could not be processed", "{cause} {remedy} Its status has the details."),
        "zh": NoticeText("《{title}》处理失败", "{cause_zh}。{remedy_zh}详情见文档状态。"),
    },
    "quota.nearly_used": {
        "en": NoticeText(
            "{percent} % of your {measure} quota is used",
            "{used} of {limit} {measure} of this {period} are used. The quota resets at {resets_at}.",
        ),
        "zh": NoticeText("您的配额已使用 {percent}%", "本周期（{period}）的 {measure} 已使用 {used}/{limit}，将于 {resets_at} 重置。"),
    },
    "budget.nearly_spent": {
        "en": NoticeText(
            "{percent} % of the budget {budget} is spent",
            "The installation's budget resets at {resets_at}. Once it is spent, questions are refused.",
        ),
        "zh": NoticeText("预算 {budget} 已使用 {percent}%", "系统预算将于 {resets_at} 重置。预算用完后，新的提问会被拒绝。"),
    },
    "webhook.disabled": {
        "en": NoticeText(
            "A webhook was switched off",
            "The webhook {url} was switched off: {reason_text} Correct the receiver, switch the webhook on, and replay what it missed.",
        ),
        "zh": NoticeText(
            "一个 Webhook 已停用", "Webhook {url} 已停用：{reason_text_zh}请修复接收端，重新启用该 Webhook，并重放错过的消息。"
        ),
    },
    "dead_letter": {
        "en": NoticeText(
            "Records could not be processed ({code})",
            "The agent {agent} gave up records of {topic} with {code}. See the dead letters; once the cause is gone, redrive them.",
        ),
        "zh": NoticeText(
            "有记录无法处理（{code}）", "处理程序 {agent} 放弃了 {topic} 中的记录，错误为 {code}。请查看死信，排除原因后重新投递。"
        ),
    },
    "config.stage_ended": {
        "en": NoticeText("The staged change of {key} was {outcome}", "{reason}. The history of the key has the figures."),
        "zh": NoticeText("{key} 的分阶段变更{outcome_zh}", "{reason}。具体数据见该配置项的历史。"),
    },
    "health_check.failed": {
        "en": NoticeText("The health check found something wrong", "{findings}. What to do first: {remedy}."),
        "zh": NoticeText("健康检查发现问题", "{findings}。请先处理：{remedy}。"),
    },
}

REASONS: Mapping[str, Mapping[Language, str]] = {
    "gone": {"en": "the receiver answered 410 Gone.", "zh": "接收端返回了 410 Gone。"},
    "failing": {"en": "it has accepted nothing for five days.", "zh": "接收端已连续五天没有成功接收任何消息。"},
}


def notice_text(kind: NoticeKind, fields: Mapping[str, str], language: Language) -> NoticeText:
    """The text of a notice. Fields that are missing are left out; values are shown on one line, shortened."""
    values = _Values({name: _CONTROL.sub(" ", value)[:VALUE_CHARS_MAX] for name, value in fields.items()})
    template = _TEXTS[kind][language]
    return NoticeText(template.title.format_map(values).strip(), template.body.format_map(values).strip())


def channels_of(preferences: NoticePreferences | None, kind: NoticeKind) -> tuple[Channel, ...]:
    """The channels of a kind: as the account chose, else the default."""
    if preferences is not None and kind in preferences.channels:
        return preferences.channels[kind]
    return DEFAULT_CHANNELS[kind]


class _Values(dict[str, str]):
    def __missing__(self, _name: str) -> str:
        return ""
