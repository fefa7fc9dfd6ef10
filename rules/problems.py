"""What can be wrong with a rule pack: one code, one Chinese sentence, one way to mend it, one place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from intake.errors import CATALOGUE, ZhipaiError, register

#: code -> (message, mend). The catalogue of the house holds both as one sentence.
_PARTS: dict[str, tuple[str, str]] = {}


def _register(code: str, title: str, message: str, mend: str) -> None:
    register(code, title, message + mend)
    _PARTS[code] = (message, mend)


_register(
    "E3001", "规则文件读不出", "文件读不出来：{problem}。", "请用 UTF-8 保存，缩进只用空格，冒号用半角并在后面空一格。"
)
_register("E3002", "不认识的键", "{what}里有不认识的键“{key}”。", "{hint}")
_register("E3003", "类型不对", "“{key}”应是{wanted}，现在是{found}。", "请改正这一处的写法。")
_register("E3004", "缺少必填项", "{what}缺少“{key}”。", "请补上这一项。")
_register("E3005", "不在允许的写法之中", "“{key}”写成了“{value}”。", "只能写：{choices}。")
_register("E3006", "不认识的事实", "没有名为“{fact}”的事实。", "{hint}")
_register("E3007", "条件写法不对", "条件写得不对：{problem}。", "{hint}")
_register(
    "E3008", "值与事实的类型不符", "事实“{fact}”是{wanted}，不能与“{value}”比较。", "请按事实字典的类型和取值填写。"
)
_register("E3009", "不认识的条款", "没有编号为“{clause}”的条款。", "请先在 clauses.yaml 中登记它，或改正编号。")
_register(
    "E3010", "日期不对", "“{key}”的日期不对：{problem}。", "日期写成 2024-01-31；失效日期是第一个不再适用的日子。"
)
_register(
    "E3011", "编号重复", "{what}编号“{id}”已经用过（{first}）。", "请换一个编号；要改上级规则包的规则，请改上级。"
)
_register(
    "E3012",
    "没有依据不得拦截",
    "条款“{clause}”的置信度是“{confidence}”，规则“{rule}”却要拦截。",
    "请把 severity 改为 warn 或 info，待用户单位确认依据后再拦截。",
)
_register(
    "E3013",
    "条件过于复杂",
    "条件展开后有 {count} {unit}，超过 {limit}。",
    "请拆成几条规则，或用 in 代替多个 any。",
)
_register("E3014", "规则包找不到", "规则包“{name}”找不到：{problem}。", "请核对名称、文件夹和 extends。")
_register("E3015", "编号写法不对", "“{value}”不能作{what}编号。", "应写成 {example} 的样子。")
_register("E3016", "时限参数不对", "时限“{limit}”不对：{problem}。", "{hint}")
_register("E3017", "键重复", "键“{key}”在同一处写了两次，后一个会盖住前一个。", "请删去一个。")
_register(
    "E3018",
    "事实不属于这个关口",
    "事实“{fact}”不能用在关口“{gate}”。",
    "它只在这些关口可知：{gates}。",
)
_register(
    "E3019",
    "只凭关键词不得拦截",
    "规则“{rule}”只看由正文推断的事实，却要拦截。",
    "请改为 warn 或 info，或加上由人核实的事实。",
)
_register("E3020", "日历设置不对", "日历设置不对：{problem}。", "请改正 pack.yaml 的 calendar。")
_register("E3021", "规则测试不对", "规则测试写得不对：{problem}。", "{hint}")
_register("E3022", "参数不对", "参数“{parameter}”不对：{problem}。", "{hint}")
_register("E3023", "不认识的参数", "没有名为“{parameter}”的参数。", "{hint}")
_register("E3024", "用户填写不对", "“{parameter}”填得不对：{problem}。", "{hint}")

_register(
    "E3101", "规则永远不会命中", "规则“{rule}”的条件自相矛盾，永远不会命中：{problem}。", "请改正互相矛盾的条件。"
)
_register("E3102", "规则没有测试", "规则“{rule}”没有预期为“{state}”的测试。", "请在规则包的 tests 文件夹补一条。")
_register("E3103", "条款没有规则", "条款“{clause}”没有规则或时限引用它。", "请写出规则，或删去这一条款。")
_register(
    "E3104", "边界没有测试", "规则“{rule}”没有测到“{fact}”恰为 {value} 的情形。", "请补一条取值恰在边界上的测试。"
)
_register(
    "E3105", "规则测试未通过", "规则测试“{name}”未通过：{problem}。", "请核对规则、测试和条款，三者必有一处不对。"
)
_register(
    "E3106",
    "规则重复",
    "规则“{rule}”与“{other}”（{place}）关口、条件、条款和结论都相同，有效期又重叠。",
    "请删去一条，或用 effective_from、effective_to 把两条错开。",
)
_register(
    "E3107",
    "规则互相矛盾",
    "规则“{rule}”与“{other}”（{place}）一个允许、一个不得，却可能同时命中，例如：{facts}。",
    "请用 priority 分出先后，或给其中一条加上条件。",
)
_register(
    "E3108",
    "规则被遮住",
    "规则“{rule}”命中时，“{other}”（{place}）必定同时命中，而依据、结论和处置都相同。",
    "请删去一条，或写出两者不同的处置。",
)
_register(
    "E3109",
    "条款没有测试",
    "条款“{clause}”有规则或时限引用，却没有一条规则测试以它为依据。",
    "请补一条写明这一条款的测试。",
)
_register(
    "E3110",
    "时限没有办公时间",
    "时限“{limit}”按工作小时计，规则包却没有办公时间，算不出到期时刻。",
    "请在 pack.yaml 的 calendar.office_hours 填写办公时间，或换一个单位。",
)
_register(
    "E3111",
    "参数没有用到",
    "参数“{parameter}”没有规则引用它。",
    "请在规则里用 {{parameter: {parameter}}} 引用，或删去它。",
)
_register(
    "E3112",
    "没有边界测试",
    "规则“{rule}”的测试都不在边界上。",
    "请补一条：施行首日的，或缺少关键事实而预期 not_evaluated 的。",
)

register("E3201", "时刻缺时区", "“{name}”没有时区。请写成 2026-05-01T09:30:00+08:00 这样带时区的时刻。")
register("E3202", "不认识的事实", "没有名为“{fact}”的事实。{hint}")
register("E3203", "事实的值不对", "事实“{fact}”的值不对：{problem}。请改正后再判断。")
register("E3204", "不认识的关口", "没有名为“{gate}”的关口，只有：{gates}。")
register("E3205", "不认识的紧急程度", "没有“{urgency}”这种紧急程度，只有：{urgencies}。")
register("E3206", "日历没有这一天", "工作日历只有 {start} 到 {end}，没有 {day}。请导入放假安排，或改正日期。")
register("E3301", "事实字典有误", "事实字典有误：{problem}。请改正 rules/facts/。", exit_code=3)
register("E3302", "词表有误", "词表有误：{problem}。请改正 rules/words.yaml。", exit_code=3)


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A place in a file of a pack; ``file`` is relative to the folder that holds the pack, so the same everywhere."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem as a rule owner reads it."""

    code: str
    file: str
    line: int
    column: int
    message: str
    mend: str
    level: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column} [{self.code}] {self.message}{self.mend}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, before anybody decided whether to raise it or to list it."""

    code: str
    mark: Mark
    params: dict[str, Any] = field(default_factory=dict)
    level: Literal["error", "warning"] = "error"

    def error(self) -> ZhipaiError:
        return ZhipaiError(self.code, self.params, where=str(self.mark))

    def finding(self) -> Finding:
        message, mend = (part.format(**self.params) for part in _PARTS[self.code])
        return Finding(self.code, self.mark.file, self.mark.line, self.mark.column, message, mend, self.level)


def pack_codes() -> tuple[str, ...]:
    """The codes that a pack on disk can cause."""
    return tuple(sorted(code for code in _PARTS if code in CATALOGUE))
