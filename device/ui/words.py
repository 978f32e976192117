"""Every word of ours on the screen, in Chinese and English; what halls write is shown as it is.

`{}` is where something is put in. The official names of levels and reasons come from the
catalogue; their English is a gloss (`glosses`).
"""

from typing import NamedTuple


class Said(NamedTuple):
    """One text in both languages."""

    zh: str
    en: str


WORDS: dict[str, Said] = {
    # ------------------------------------------------------------ around every picture
    "away": Said("网络中断，评价会先保存在本机", "Offline: your rating is kept on this device"),
    "away_only": Said("网络中断", "Offline"),
    "countdown": Said("{} 秒后返回", "Closes in {} s"),
    "device": Said("本机名称　{}", "This kiosk: {}"),
    "english": Said("English", "English"),
    "chinese": Said("中文", "中文"),
    "elder": Said("长者模式", "Large text"),
    "usual": Said("标准模式", "Usual size"),
    # ------------------------------------------------------------ the invitation
    "ask": Said("请您为本次服务评价", "How was the service you just had?"),
    "secret": Said("您的评价对窗口人员保密", "The staff cannot see your rating"),
    "matter": Said("办理事项", "Matter"),
    "serial": Said("业务流水号", "Serial number"),
    "clerk": Said("窗口工作人员", "Staff member"),
    "number": Said("工号 {}", "No. {}"),
    "service": Said("（第 {} 次服务）", " (service {})"),
    # ------------------------------------------------------------ after the tap
    "thanks": Said("谢谢，您的评价已保存", "Thank you, your rating is saved"),
    "add": Said("还可以选几项理由，帮我们做得更好", "You may add what was good, if you like"),
    "why": Said("请选一项或几项原因，帮我们去改进", "Please tell us why, so we can mend it"),
    "more": Said("展开更多", "Show more"),
    "less": Said("收起", "Show fewer"),
    "leave": Said("直接完成", "Finish"),
    "send": Said("提交", "Submit"),
    "undo": Said("选错了，重选", "Change my rating"),
    "own_words": Said(
        "也可以用自己的话写在这里（最多 {} 字）", "Or in your own words (up to {} characters)"
    ),
    "own_words_short": Said("也可以自己写", "Your own words"),
    "own_page": Said("手机扫一扫，写几句话、查回执", "Scan to add words or see the receipt"),
    "own_page_below": Said(
        "对窗口人员保密，也可以回家再写", "Staff cannot see it; later is fine too"
    ),
    # ------------------------------------------------------------ endings
    "rated": Said("谢谢，您的评价已保存", "Thank you, your rating is saved"),
    "rated_below": Said(
        "您选的理由一并保存，对窗口人员保密", "What you added is saved too; staff cannot see it"
    ),
    "skipped": Said("谢谢，您的评价已保存", "Thank you, your rating is saved"),
    "skipped_below": Said(
        "您可以离开了，评价对窗口人员保密", "You may leave now; staff cannot see your rating"
    ),
    "expired": Said("评价时间已到", "The time for rating is over"),
    "expired_below": Said(
        "本次没有评价，谁也不能替您评价", "You did not rate, and nobody can rate for you"
    ),
    "withdrawn": Said("本次评价已取消", "This rating was called off"),
    "withdrawn_below": Said(
        "窗口取消了评价邀请，没有记录任何评价", "The counter took it back; nothing was recorded"
    ),
    "superseded": Said("上一项评价已结束", "The earlier rating has ended"),
    "superseded_below": Said("请看接下来的办理事项", "Please look at the matter that follows"),
    # ------------------------------------------------------------ at rest
    "serving": Said("正在服务", "Open"),
    "nobody": Said("暂无工作人员签到", "No staff member signed on"),
    "announcement": Said("公告", "Notice"),
    # ------------------------------------------------------------ notices
    "connecting": Said("正在连接大厅", "Connecting"),
    "wait": Said("请稍候", "Please wait"),
    "fetching": Said("正在取得配对码…", "Fetching a pairing code …"),
    "cut_off": Said("连接不上大厅，暂时不能配对", "No connection: pairing is not possible now"),
    "cut_off_below": Said(
        "请检查网线和网络；恢复后本机自动显示配对码",
        "Check cable and network; the code appears by itself",
    ),
    "paused": Said("暂停服务", "Closed for now"),
    "paused_below": Said("请稍候，或前往其他窗口办理", "Please wait, or go to another window"),
    "broken": Said("设备暂停使用", "This kiosk is out of service"),
    "broken_below": Said(
        "评价暂时无法保存，请告知工作人员", "Ratings cannot be saved now; please tell the staff"
    ),
    "report": Said("报修时请说明本机名称：{}", "For repair, name this kiosk: {}"),
    "half_kept": Said("补充内容未能保存", "What you added could not be saved"),
    "half_kept_below": Said(
        "您先前选择的评价已保存。设备暂停使用，请告知工作人员",
        "Your rating itself is saved. This kiosk is out of service; please tell the staff",
    ),
    "not_kept": Said("评价未能保存", "Your rating could not be saved"),
    "not_kept_below": Said(
        "设备暂停使用，请告知工作人员", "This kiosk is out of service; please tell the staff"
    ),
    # ------------------------------------------------------------ pairing
    "code": Said("配对码", "Pairing code"),
    "code_left": Said("{} 秒后更换", "Changes in {} s"),
    "code_how": Said(
        "请在电脑的“我的窗口”页面选择窗口，输入这六位数字",
        "On the page “我的窗口” choose a window and type these six digits",
    ),
    "code_phone": Said("用手机扫码，打开“我的窗口”", "Scan with a phone to open “我的窗口”"),
    "code_scanner": Said("用扫码枪扫入，不必手工输入", "Scan it instead of typing"),
    "confirm": Said(
        "请在电脑上确认：这台评价器将用于此窗口",
        "Confirm on the computer: this kiosk will serve this window",
    ),
    # ------------------------------------------------------------ enrolment
    "enrol": Said("评价器入网", "Kiosk enrolment"),
    "enrol_names": Said("本机名称　{}　　大厅　{}", "Kiosk: {}   Hall: {}"),
    "enrol_port": Said("端口　{}", "Port: {}"),
    "enrol_waiting": Said("等待入网台", "Waiting for the desk"),
    "enrol_cable": Said(
        "用数据线把本机与入网台连接好", "Connect this kiosk to the desk with the data cable"
    ),
    "enrol_run": Said(
        "在入网台上给设备 {}（大厅 {}）执行入网", "Run the enrolment of {} (hall {}) at the desk"
    ),
    "enrol_compare": Said("核对数字", "Compare"),
    "enrol_compare_how": Said(
        "与入网台上的数字核对，不一致请立即拔线", "Not the number at the desk? Unplug at once"
    ),
    "enrol_hold": Said("请不要拔线，也不要断电", "Please leave the cable in and the power on"),
    "enrol_joining": Said("正在与入网台交换信息", "Talking to the desk"),
    "enrol_issuing": Said("正在等待签发证书", "Waiting for the certificate"),
    "enrol_storing": Said("正在保存证书", "Saving the certificate"),
    "enrol_testing": Said("正在测试与大厅服务器的连接", "Testing the connection to the hub"),
    "enrol_done": Said("入网完成", "Enrolled"),
    "enrol_passed": Said("连接测试通过：{}", "Connection test passed: {}"),
    "enrol_not_passed": Said("连接测试未通过：{}", "Connection test failed: {}"),
    "enrol_check": Said(
        "请检查大厅服务器和网络；本机会自己再连接",
        "Check hub and network; this kiosk will try again by itself",
    ),
    "enrol_starts": Said(
        "本机即将自动开始工作，可以拔掉数据线", "This kiosk starts by itself; unplug the cable"
    ),
    "enrol_unplug": Said("可以拔掉数据线", "You may unplug the cable"),
    "enrol_failed": Said("入网没有完成", "Not enrolled"),
    "enrol_again": Said(
        "处理后本机会自动重新等待入网台", "This kiosk then waits for the desk again by itself"
    ),
    "enrol_rerun": Said("处理后请在本机重新执行入网", "Then run the enrolment on this kiosk again"),
    "stage_joining": Said("接通", "Connect"),
    "stage_comparing": Said("核对数字", "Compare"),
    "stage_issuing": Said("签发证书", "Certify"),
    "stage_storing": Said("保存", "Save"),
    "stage_testing": Said("测试连接", "Test"),
}


def say(key: str, *put_in: object, english: bool = False) -> str:
    """Return a text of the table. An unknown key is an error of the program (KeyError)."""
    said = WORDS[key]
    return (said.en if english else said.zh).format(*put_in)
