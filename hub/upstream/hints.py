"""What to do about a reason for which the city has not got a record: by the words in it. Pure."""

import re

_HINTS: tuple[tuple[str, str], ...] = (
    # Our own words.
    (
        "差评缺少原因和文字",
        "差评须有原因或文字，系统不代填：按规定不报送，留在台账；群众从回执页面补写后自动报送",
    ),
    ("只属于一个大厅", "两个大厅用了同一个流水号：请与上级大厅核对，由一方改正后再登记"),
    (
        "与评价器签名的内容不符|签名的评价|已报送的那次评价|一次服务只评一次",
        "不要改动数据，执行 pingyi-hub verify 核验，并请上级大厅一同核对",
    ),
    ("软件太旧", "请升级评价器；这一条只留在本厅台账"),
    ("签名核验不通过", "不要改动数据，执行 pingyi-hub verify 核验，并联系维护人员"),
    ("办件服务数据未能上报", "先处理同一流水号的办件，评价会随它一起重报"),
    ("找不到对应的办件|备份中没有这个办件", "请业务系统把这个流水号按原来的内容再登记一次"),
    ("公民信息已按规定删除", "已按保存期限删除，平台如缺此件，请以平台自己的备份为准"),
    ("平台不收更正", "请人工告知平台；平台若有更正接口，改报文格式文件的 update"),
    ("平台不收复核认定", "请人工告知平台；平台若有此接口，改报文格式文件的 ruling"),
    ("没有采纳", "请与平台核对这一件；平台若有专门的接口，改报文格式文件的 update 或 ruling"),
    (r"codes\.|area_code_digits", "照提示修改报文格式文件，重启后执行 pingyi-hub upstream retry"),
    ("SM2|公钥|私钥", "核对 [upstream.access] 的密钥文件和报文格式文件的 sm2 一节"),
    (
        "办件人信息无法解密",
        "数据目录里的 citizens.key 不是原来那一把：放回另行保管的那一把，再重启服务器",
    ),
    ("密钥文件", "请从备份恢复 citizens.key，不要新建"),
    # The way there.
    (
        "Certificate|SSL",
        "核对平台证书：平台用自己的证书机构时，在 upstream.ca 填写它的证书文件",
    ),
    ("连接失败", "检查 upstream.url、网络和防火墙；恢复后自动补报"),
    ("未在规定时间内应答", "平台太慢或网络不通；持续如此可调大 upstream.timeout_s"),
    (
        "HTTP (401|403|407)|授权|鉴权|权限|令牌|token|appMark|appWord",
        "核对 [upstream.access]，请平台确认本厅的账号和地址已放行",
    ),
    ("HTTP 404|HTTP 3", "地址不对：核对 upstream.url 和报文格式文件的 addresses"),
    (
        "HTTP (408|425|429)|频繁|限流|繁忙",
        "平台限流：自动放慢重试；经常出现请调小 upstream.parallel",
    ),
    ("HTTP 5|维护|系统异常|系统错误", "平台故障，不必处理；超过一天请联系平台"),
    ("签名|验签|解密|时间戳", "核对密钥文件、sm2 一节的写法，并看本页的时钟偏差"),
    (
        "无法识别|不是约定的任何一种|自相矛盾|过长",
        "用 pingyi-hub upstream journal --failed 看平台原话，再核对报文格式文件的 answer 一节",
    ),
    # The city's words about a record.
    (
        "先上报办件|没有对应的办件|未找到办件|办件不存在|无此办件",
        "平台缺这个办件：执行 pingyi-hub upstream backfill --day 办件登记的日期",
    ),
    (
        "taskHandleItem|业务办理项",
        "核对业务办理项编码（33 位，前 31 位是事项编码），更正后再登记一次",
    ),
    ("taskCode|事项编码|事项不存在", "核对事项编码（31 位）；平台尚未收录的，请平台补录后 retry"),
    ("orgcode|orgName|部门|机构", "核对部门编码和名称，更正后再登记一次"),
    ("areaCode|区划", "核对区划代码，更正后再登记一次"),
    ("certKey|PageCode|证件|身份证", "核对证件类型和号码，更正后再登记一次"),
    ("mobile|手机", "核对手机号，更正后再登记一次"),
    ("Date|Time|时间|日期", "核对受理、办结、服务时间的先后和格式，更正后再登记一次"),
    (
        "evalDetail|指标|原因代码",
        "平台的评价原因版本与本厅不同：请核对评价目录的版本，不要改代码",
    ),
    ("字段|必填|不能为空|长度|格式", "照平台所说的字段更正，再登记一次"),
)
_TABLE = tuple((re.compile(words, re.IGNORECASE), mend) for words, mend in _HINTS)


def mend(reason: str) -> str:
    """Return what to do about it, or nothing where no mend is known."""
    return next((mend for words, mend in _TABLE if words.search(reason)), "")
