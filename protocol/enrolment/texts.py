"""Why an enrolment stopped, as the person at the desk or the kiosk reads it."""

from protocol.enrolment.frames import VERSION
from protocol.enrolment.messages import Reason

REASONS: dict[Reason, str] = {
    "another_device": "线缆接的是另一台评价器：请核对设备名称和端口",
    "another_hall": "这台评价器配置的是另一个大厅：请核对大厅名称",
    "number_differs": (
        "两边显示的数字不一致：不能入网。请拔掉线缆，检查中间有没有接别的设备，"
        "在评价器上重新开始入网后再试"
    ),
    "too_many_attempts": "核对之前线路中断次数过多：为防止有人试探，已停止。请更换线缆后重新开始",
    "commitment_broken": "评价器前后给出的密钥不一致：可能有别的设备在应答，请检查线缆后重新开始",
    "request_invalid": "评价器的证书申请或签名不对：请在评价器上重新开始入网",
    "not_issued": "没有签发证书",
    "certificate_invalid": "收到的证书不是签给这台评价器的，没有保存：请检查签发目录后重试",
    "terms_changed": "收到的内容与核对数字时不一致，没有保存：请检查线缆后重新开始",
    "not_stored": "评价器没能把身份写入磁盘：请检查磁盘空间和权限",
    "not_understood": "两边的程序版本不同或对话错乱：请把两边升级到同一版本后重试",
}

_CHECK = (
    "请检查：线缆是否插紧、是不是能传数据的线；端口是否选对；"
    "评价器是否已开机，并在执行 pingyi-kiosk enrol"
)
DEAD = f"线路上没有任何应答。{_CHECK}"
BABBLE = f"线路上有数据，但不是评价器的应答，可能接了别的设备，或线缆已损坏。{_CHECK}"
ECHO = f"收到的是本机自己发出的数据，线缆可能短接或处于回环。{_CHECK}"
INTERRUPTED = "与评价器的连接中断，没有恢复；重新执行本命令即可继续，已签发的证书不会作废。"

_DESK_CHECK = "请检查：线缆是否插紧、是不是能传数据的线；入网台是否在执行 pingyi-provision enrol"
KIOSK_DEAD = f"没有等到入网台。{_DESK_CHECK}"
KIOSK_BABBLE = f"线路上有数据，但不是入网台发出的。{_DESK_CHECK}"
KIOSK_INTERRUPTED = f"与入网台的连接中断，没有恢复；重新执行本命令即可继续。{_DESK_CHECK}"


def another_version(versions: tuple[int, ...]) -> str:
    """Return the sentence for a line on which other versions of the frames were heard."""
    heard = "、".join(map(str, versions))
    return f"对方的入网程序版本是 {heard}，本机是 {VERSION}：请把两边升级到同一版本"


def explain(reason: Reason, text: str = "") -> str:
    """Return the sentence for `reason`, with what the other side added."""
    return f"{REASONS[reason]}（{text}）" if text else REASONS[reason]
