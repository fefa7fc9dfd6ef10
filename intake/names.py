"""Personal names in Chinese text: what one looks like, and the cues that give one away.

A name without any cue is out of reach of patterns and stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

#: One private-use character for each character of a number or placeholder, so that “a number stands here” is a cue.
FILL = "\ue000"

#: Surnames of two characters.
COMPOUND = (
    "欧阳|上官|司马|司徒|诸葛|夏侯|皇甫|尉迟|公孙|慕容|令狐|宇文|长孙|端木|东方|南宫|轩辕|百里|呼延|闻人|西门|独孤|赫连"
)

#: The 300 commonest surnames of one character, less those below.
_COMMON = (
    "王李张刘陈杨赵黄周吴徐孙胡朱林何郭罗梁宋郑谢韩唐冯董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏汪姜范姚谭廖邹熊陆郝崔康"
    "邱秦史顾侯邵孟龙段雷汤尹黎易武乔贺赖龚庞樊殷施洪翟倪严牛陶俞章鲁葛韦毛聂丛焦柳骆卞岳詹梅辛祝左涂谷祁耿卓鞠蒲裴屠甘覃苗尤"
    "冉卜古佟符褚娄窦凌游阮艾欧桑柯晏麦邢闫牟冼庾荆麻喻蓝闵邬兰蔺刁奚詹滕芦邸晋郎宫敖郁阳莫孔田靳霍申"
)
#: Surnames that are everyday words as well (“于”“时”“安”“方”); they count only after a strong cue or before a title.
EVERYDAY = "向车房官占任管项盛连于时安方应万高马常相路水和有计成白金温平明文钱石包党师乐宁全单费强江河米花边台解宣关伍齐尚简景商贝查储戚仇阚厉戎习支仲卫保冷初丰干巩种幸"

#: A regular expression for one surname.
SURNAME = f"(?:{COMPOUND}|[{_COMMON}{EVERYDAY}])"
#: The same without everyday words.
CLEAR_SURNAME = f"(?:{COMPOUND}|[{_COMMON}])"

#: Words of two or three characters that begin like a name and are none.
_WORD_LIST = """
    黄牛 黄线 黄泥 黄土 黄色 黄沙 黄灯 黄金 黄昏 黄花 王府 王村 王家 李村 李家 张贴 张嘴 张口 张罗 陈述 陈旧 陈设 陈年 杨树 杨梅 杨柳
    周边 周围 周末 周一 周二 周三 周四 周五 周六 周日 周期 周岁 周转 周知 周年 孙子 孙女 胡同 胡乱 胡说 林业 林木 林地 林场 林立 何时 何人
    何处 何种 何事 何在 何以 何况 郭村 罗列 梁上 宋体 郑重 谢谢 谢绝 韩国 唐突 程序 程度 曹村 许多 许可 许久 许诺 沈阳 曾经 曾多次 曾在 曾是
    曾向 曾有 曾于 彭村 苏州 苏打 丁字 丁香 叶子 叶片 余额 余款 余下 余钱 余地 杜绝 戴着 戴上 夏天 夏季 夏日 夏令营 汪汪 任何 任务 任意 任由
    任职 任教 任性 任凭 任命 范围 范例 姜汤 熊猫 陆续 陆地 康复 康健 秦腔 史上 顾客 顾问 顾虑 顾忌 侯车 候车 孟加拉 龙头 龙虾 龙卷风 段时间
    段落 段位 雷电 雷达 雷雨 汤圆 汤饭 黎明 易燃 易爆 易发 易碎 易于 武警 武汉 武术 武装 乔迁 乔木 贺卡 贺电 庞大 殷切 施工 施工方 施救 施暴
    施行 施压 施肥 施舍 洪水 洪涝 严重 严格 严厉 严查 严惩 严禁 严峻 严肃 牛奶 牛肉 牛蛙 牛羊 陶瓷 章程 鲁莽 毛病 毛坯 毛坯房 毛线 丛生 焦虑
    焦急 焦味 柳树 岳母 岳父 梅花 梅雨 辛苦 辛勤 管理 管理员 管理处 管理费 管道 管线 管理者 管控 管辖 管网 管井 管家 管事 祝福 祝愿 祝您 左右
    左侧 左边 左转 左拐 涂改 涂料 谷物 谷子 甘蔗 甘愿 苗木 苗圃 尤其 尤为 盛行 盛大 古董 古树 古城 古镇 项目 项目部 项目方 项链 符合 凌晨 凌乱
    游客 游玩 游泳 游乐 游乐场 游戏 游行 游览 艾灸 艾滋 植物 植树 植被 麦克 麻烦 麻将 麻将馆 麻木 蓝色 蓝天 蓝牙 官方 官员 官网 兰花 占用 占道
    占地 占据 占有 占比 占座 连续 连接 连带 连夜 连锁 连片 连日 宫颈 宫颈癌 郁闷 阳台 阳光 阳性 车辆 车主 车位 车库 车内 车间 车费 车道 车牌 车站
    车祸 车窗 车门 车上 车子 车厢 车次 车号 车载 车速 车友 房子 房产 房屋 房东 房租 房间 房价 房号 房源 房主 房门 房顶 房款 房贷 房管 房证 房客
    莫名 莫过于 孔洞 孔子 向上 向前 向外 向下 向其 向社区 田地 田里 田间 田径 申请 申请人 申报 申诉 申领 申办 申述 申购 方面 方便 方式 方向 方法
    方案 方才 安全 安排 安装 安静 安置 安心 安检 安保 安抚 安危 安宁 应该 应当 应急 应有 应聘 应诉 万元 万分 万一 高兴 高空 高速 高层 高度 高中
    高考 高龄 高温 高价 高压 高额 高达 高血压 高铁 高峰 马上 马路 马桶 马甲 常年 常常 常用 常住 相关 相应 相反 相信 相互 路边 路口 路面 路过
    路人 路上 水管 水费 水电 水泥 水质 水表 水压 和谐 和平 和解 有关 有人 有权 有限 计划 计生 成立 成都 成功 成人 白天 白色 白领 金额 金融 温度
    温暖 温馨 平时 平均 平台 平米 平房 明显 明确 明天 明年 文化 文件 文明 文盲 钱款 钱财 钱包 石头 石油 包括 包裹 包车 党员 党委 师傅 师生 乐队
    宁愿 全部 全家 全体 全额 单位 单独 单元 单身 费用 费力 强烈 强行 强制 强迫 童装 江边 河边 河道 米饭 花园 花费 边上 台阶 解决 解释 解除 关于
    关闭 关系 关注 关心 齐全 尚未 简单 简直 景区 商家 商场 商户 商铺 商量 商业 查询 查处 查看 查封 储存 支付 支持 保安 保证 保护 保险 保姆 保洁
    冷静 冷漠 初中 初一 初三 干净 干部 干活 种植 种地 幸福 于是 于今 时间 时候 时段 时常
    电话 方式 号码 联系 手机 微信
    匿名 保密 本人 不详 未知 未留 物业 业主 同上 市民 女士 先生 夫妻 双方 对方 家属 群众 居民 村民 控诉 控告 举报 申诉 投诉 董事 姓名 屠宰
"""
_WORDS = frozenset(_WORD_LIST.split())

#: Characters that nobody is called by.
_IN_NO_NAME = frozenset("了着的得不没在是被把将就都也很还要吗呢吧啊这那哪么怎于与及其她它们某等每该此")


_RANKS = (
    "先生|女士|小姐|太太|师傅|阿姨|大爷|大妈|大叔|大姐|大哥|叔叔|婆婆|奶奶|爷爷|老师|医生|主任|经理|队长|校长|院长|书记|局长|所长|警官|老板"
    "|律师|法官|同志|店长|教练|主管|站长|科长|处长"
)
_ANY_RANK = re.compile(_RANKS)


def is_name(candidate: str) -> bool:
    """Whether a candidate of two to four characters reads as a name rather than as a common word."""
    if candidate in _WORDS or candidate[:2] in _WORDS or not _IN_NO_NAME.isdisjoint(candidate[1:]):
        return False
    if candidate[0] == "某" or _ANY_RANK.search(candidate):
        return False
    # 西地省, 张家村 are places, 李家, 张某 nobody in particular.
    return candidate[-1] not in ("省市县镇村路街局院" if len(candidate) > 2 else "家村庄某")


#: 张某 is a surname, too; but “某某” and “某先生” are placeholders, and what stands before them is no name.
_TITLE = f"(?:{_RANKS}|某(?!某|{_RANKS}))"
#: Heads of places: 美兰区长堤路 hides one, so that the surname before it has to begin a clause.
_HEADS = "[市县区镇乡村]长(?![期河江安沙城春堤乐兴达宁街路])"
_TITLE_HERE = re.compile(f"{_TITLE}|{_HEADS}")
_TITLED = re.compile(rf"({SURNAME})(?={_TITLE})|(?<![\u4e00-\u9fff])({SURNAME})(?={_HEADS})")
_FULL_NAME_TITLED = re.compile(
    rf"(?:(?<![\u4e00-\u9fff])|(?<=[与和跟被找向给把将由让对叫是]))({CLEAR_SURNAME}[\u4e00-\u9fff]{{1,2}})(?={_TITLE}|{_HEADS})"
)
#: An everyday word before a title is a surname at the start of a clause and after these: “找平师傅”, not “公交车主任”.
_LEADS_TO_NAME = frozenset("与跟找被给是叫姓的")
_NEVER_FIRST = frozenset("和有从向")  # “和女士专用”, “有老师补课”
_STOP = (
    r"(?=[^\u4e00-\u9fff]|$|电话|手机|联系|号码|身份证|家住|住在|男|女|称|表示|反映|来电|先生|的(?:电话|手机|身份证))"
)
_LABEL = re.compile(
    "(?:姓名|名字|户名|开户人|收款人|联系人|来电人|诉求人|投诉人|举报人|反映人|申请人|报案人|当事人|受害人|失主|机主|户主|法人代表|法定代表人"
    "|法人|负责人|经办人|收件人|收货人|业主|患者|乘客|申诉人|控告人|原告|被告|证人|代表|嫌疑人|死者|伤者|家属)(?:姓名)?"
    rf"(?:\s*[:：]\s*|(?:为|是|叫)(?={SURNAME})|(?={CLEAR_SURNAME}))"
    rf"((?:{COMPOUND}|[\u4e00-\u9fff])[\u4e00-\u9fff]{{1,2}}?|[\u4e00-\u9fff]{{2,6}}·[\u4e00-\u9fff]{{2,8}}){_STOP}"
)
_CALLED = re.compile(
    rf"(?:(?:我|本人|名|其|他|她|名字)叫|叫做)({SURNAME}[\u4e00-\u9fff]{{1,2}}?){_STOP}"
    rf"|(?:我是|本人是|我名|本人|我)({CLEAR_SURNAME}[\u4e00-\u9fff]{{1,2}}?){_STOP}"
)
_ROLE = re.compile(
    "(?:业主|居民|村民|户主|住户|租客|员工|职工|工人|民工|学生|同学|家长|患者|病人|老人|乘客|司机|驾驶员|车主|房东|老板|经理|负责人|村长|书记|主任"
    "|校长|老师|教师|医生|护士|民警|警察|队长|队员|保安|中介|母亲|父亲|妈妈|爸爸|妻子|丈夫|老公|老婆|爱人|儿子|女儿|孩子|小孩|哥哥|弟弟|姐姐"
    "|妹妹|爷爷|奶奶|朋友|同事|邻居|叫|工作人员|会计|组长|法人|局长|处长|科长|所长|镇长|乡长|县长|市长|支书|主席|委员|总经理|董事长|老总|包工头|受害人|代表)"
    rf"((?![和向有从]){SURNAME}[\u4e00-\u9fff]{{2}}(?=[，,。；;、（(）)\s{FILL}]|$)|{CLEAR_SURNAME}[\u4e00-\u9fff](?=[，,。；;、（(）)\s{FILL}]|$)"
    rf"|{CLEAR_SURNAME}[\u4e00-\u9fff]{{2}}(?=协商|沟通|联系|反映|告知|表示|称|说|殴打|辱骂|欠|要求|拒|强|在|到|的|和|与|等|对|把|将|向|于|从|私自|利用|故意|一直|多次))"
)
_BEFORE_NUMBER = re.compile(
    rf"(?<![\u4e00-\u9fff])({SURNAME}[\u4e00-\u9fff]{{1,2}})"
    rf"(?=[（(：:，,\s]{{1,2}}(?:联系电话|电话|手机号?|身份证号?)?[:：\s]{{0,2}}{FILL}|(?:联系电话|电话|手机号?)[:：\s]{{0,2}}{FILL})"
    rf"|({CLEAR_SURNAME}[\u4e00-\u9fff]{{1,2}})(?=[（(：:\s]{{0,2}}{FILL})"
)


def is_titled(following: str) -> bool:
    """Whether what follows a name is a title: 先生 after 张."""
    return _TITLE_HERE.match(following) is not None


#: One more name of a list: “王小明、李芳和张伟”.
_NEXT = re.compile(rf"[、 和与及]({CLEAR_SURNAME}[\u4e00-\u9fff]{{1,2}})(?=[、，,。；;！!）)\s和与及等]|$)")


def find_names(text: str) -> Iterator[tuple[int, int]]:
    """The spans of names, in no order and possibly overlapping; ``text`` has ``FILL`` where numbers stood.

    A name that a cue gives away is found wherever else it stands in the text, and so are the names listed after it.
    """
    known: set[str] = set()
    for pattern in (_LABEL, _CALLED, _FULL_NAME_TITLED, _ROLE, _BEFORE_NUMBER):
        for match in pattern.finditer(text):
            group = match.lastindex or 0
            if is_name(match[group]):
                yield match.span(group)
                known.add(match[group])
                end = match.end(group)
                while (after := _NEXT.match(text, end)) and is_name(after[1]):
                    yield after.span(1)
                    known.add(after[1])
                    end = after.end(1)
    if known:
        for match in re.finditer("|".join(sorted(known, key=len, reverse=True)), text):
            yield match.span()
    for match in _TITLED.finditer(text):
        before = text[match.start() - 1] if match.start() else ""
        is_word = match[0] in EVERYDAY and before not in _LEADS_TO_NAME
        if is_word and (match[0] in _NEVER_FIRST or "\u4e00" <= before <= "\u9fff"):
            continue
        yield match.span()
