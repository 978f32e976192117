"""What each field of the interface means, in the words of the halls.

One table serves both the OpenAPI page and the answers to wrong requests.
"""

_MEANINGS = {
    "serial": "业务流水号，办事人看到的那个号；1 至 64 个字符，不含空白和 / ? # % \\",
    "service_number": "同一办件的第几次服务，1 至 99",
    "matter": "事项名称，显示在评价器上",
    "task_code": "事项实施编码，31 位字母或数字",
    "task_handle_item": "业务办理项编码，33 位字母或数字；没有则留空",
    "task_type": "事项类型：01 行政许可、05 行政给付、07 行政确认、08 行政奖励、"
    "09 行政裁决、10 其他行政权力、20 公共服务、99 其他",
    "status": "办件状态：1 待受理、2 已受理、3 办结",
    "org_code": "受理部门编码",
    "org_name": "受理部门名称",
    "area_code": "行政区划代码，6 位或 12 位数字",
    "accepted_at": "受理时间，北京时间，形如 2026-01-31 09:30:00",
    "finished_at": "办结时间，北京时间，形如 2026-01-31 09:30:00；仅办结时填写",
    "service_name": "服务名称，如：咨询、申报、补正、缴费、签收、办结",
    "service_time": "服务时间，北京时间，形如 2026-01-31 09:30:00",
    "promise": "办件类型：1 即办件、2 承诺件",
    "manager": "项目经办人",
    "applicant": "申请人，加密保存，不发往评价器",
    "agent": "代办人；没有则为 null",
    "kind": "申请人类型：1 自然人、2 企业法人、3 事业法人、4 社会组织法人、"
    "5 非法人企业、6 行政机关、9 其他组织",
    "name": "姓名或名称，最多 40 个字符",
    "number": "工号",
    "post": "职务或岗位",
    "certificate_type": "证件类型，3 位数字；111 为居民身份证",
    "certificate_number": "证件号码",
    "mobile": "手机号码，11 位数字；没有则留空",
    "case": "办件信息；已登记过可为 null",
    "staff": "窗口工作人员；null 表示当前签到的人员",
    "timeout_s": "等待评价的秒数，1 至 600；null 表示用窗口的设置",
    "reason": "暂停原因 1 至 60 个字符，显示给办事人；认定理由 1 至 300 个字符；都不能只有空格",
    "PauseRequest.reason": "暂停原因，显示给办事人，1 至 60 个字符，不能只有空格",
    "window": "窗口名称，与配置一致",
    "label": "窗口办理的业务",
    "device_online": "评价器此刻是否在线",
    "signed_on_at": "签到时间，1970 年起的毫秒数（UTC）",
    "paused": "暂停的原因；没有暂停为 null",
    "code": "评价器屏幕上的六位配对码",
    "by": "由谁操作：user:账号、key:密钥编号、console 服务器上的命令、hub 服务器按规则",
    "until": "确认的期限，1970 年起的毫秒数（UTC）",
    "to": "移到哪个窗口，与配置一致",
    "position": "台账中的序号，从 1 起",
    "before": "较早的检查点有多少条",
    "size": "最新的检查点有多少条",
    "entry_hash": "这一条的哈希，Base64",
    "proof": "证明中的哈希，由下到上，Base64",
    "checkpoint": "证明所依据的检查点",
    "at": "时间，1970 年起的毫秒数（UTC）",
    "change": "变更的内容",
    "why": "起因：moved 到别的窗口签到、replaced 换人、end_of_day 当天结束、"
    "window_removed 窗口已撤销、account 账号变动",
    "Binding.kind": "paired 配对、unpaired 解除配对、signed_on 签到、signed_off 签退",
    "request": "证书申请（PKCS #10，PEM）",
    "asked_at": "申请时间，1970 年起的毫秒数（UTC）",
    "chain": "评价器的证书和签发 CA 的证书（PEM）",
    "digest": "文件的 SHA-256，64 位十六进制",
    "format": "文件格式：pdf、jpeg、png",
    "evidence": "证据文件，1 至 10 份，先上传",
    "invitation": "评价邀请编号，32 位十六进制",
    "told": "上级平台：accepted 已处理、waiting 等待报送、set_aside 搁置",
    "untold": "上级平台不知道或可能不知道的原因；没有为空",
    "RulingRequest.reason": "不予采纳的理由，1 至 300 个字符，不能只有空格",
    "RulingStatus.reason": "不予采纳的理由",
    "RulingStatus.evidence": "证据文件",
    "RulingStatus.at": "认定时间，1970 年起的毫秒数（UTC）",
    "RulingStatus.position": "认定在台账中的序号",
    "KeptDocument.size": "字节数",
    "WindowStatus.name": "窗口名称，与配置一致",
    "WindowStatus.device": "配对的评价器；没有为 null",
    "WindowStatus.staff": "签到的工作人员；没有为 null",
    "InvitationRequest.staff": "可不填；填写时须与签到的工作人员一致，否则拒绝",
    "Request.chain": "已签发的证书；还没有为 null",
    "id": "评价邀请编号，32 位十六进制",
    "device": "评价器名称",
    "state": "open 进行中、rated 已评价、expired 超时未评、withdrawn 已撤回；不含评价等级",
    "shown": "评价器是否已显示",
    "withdrawal_requested": "窗口是否已要求撤回",
    "issued_at": "发出时间，1970 年起的毫秒数（UTC）",
    "deadline_at": "截止时间，1970 年起的毫秒数（UTC）",
    "deadline": "截止时间，ISO 8601，北京时间",
    "rated": "该次服务是否已评价",
    "invitations": "该次服务的全部评价邀请，按时间先后",
    "ready": "能否正常工作",
    "reasons": "不能正常工作的原因",
    "alive": "进程在运行",
    "FeedRequest.kind": "service 办件服务数据、rating 评价、ruling 复核认定、addition 追评",
    "record": "《规范》字段的记录，键和值都是文字",
    "FeedRequest.proof": "评价器的签名；办件服务数据没有，为 null",
    "Proof.device": "评价器在下级大厅的名称",
    "key": "评价器的公钥（P-256，PEM）",
    "jws": "评价器签名的原文（JWS，ES256）",
    "Proof.position": "这次评价在下级大厅台账中的序号",
    "answer": "accepted 已收下、exists 早已收下",
    "type": "问题的种类，固定不变，程序据此判断",
    "title": "问题的名称",
    "detail": "具体情况与处理办法",
    "errors": "全部有误的字段",
    "field": "字段位置，如 case.applicant.name；$ 表示整个正文",
    "message": "错在哪里",
    "Problem.status": "HTTP 状态码",
}

_STRUCTURES = frozenset({"case", "staff", "applicant", "agent"})
_STRUCTS = {
    "CaseFacts": "办件信息",
    "Applicant": "申请人",
    "Person": "代办人",
    "Staff": "窗口工作人员，显示在评价器上",
    "CaseStatus": "办件某次服务的评价情况，不含办事人信息",
    "Status": "评价邀请的进展，不含评价等级",
    "InvitationStatus": "评价邀请的进展，不含评价等级",
    "InvitationRequest": "邀请评价：哪个办件的哪次服务，由谁办理，等待多久",
    "PauseRequest": "暂停窗口，并告诉办事人原因",
    "Problem": "问题说明（RFC 9457）",
    "Bad": "一个有误的字段",
    "Health": "能否正常工作",
    "Alive": "进程在运行",
    "WindowStatus": "窗口的情况",
    "Candidate": "正显示窗口名称、等待确认的评价器",
    "Binding": "一次配对或签到的变更，载于台账",
    "Change": "变更的内容",
    "Request": "评价器的续期申请",
    "PairingCode": "评价器屏幕上的配对码",
    "Confirmation": "确认或取消哪一台评价器",
    "Move": "移到哪个窗口",
    "NewCertificate": "签发好的新证书",
    "RulingRequest": "复核认定：为什么不予采纳，凭哪些证据",
    "RulingStatus": "一次复核认定，不含评价等级",
    "KeptDocument": "一份证据文件",
    "FeedRequest": "下级大厅的一条记录",
    "Proof": "评价器签名的原文，任何人可以再核验",
    "FeedAnswer": "记录的下落",
    "InclusionProof": "台账中有这一条的证明",
    "ConsistencyProof": "台账只增不改的证明",
}


def meaning(field: str, owner: str = "") -> str:
    """Return what `field` (of struct `owner`) means, or an empty text."""
    return _MEANINGS.get(f"{owner}.{field}") or _MEANINGS.get(field, "")


def hint(place: str) -> str:
    """Return what should stand at `place`, in brackets, or an empty text."""
    owner, _, field = place.rpartition(".")
    if field in _STRUCTURES:
        return ""
    found = meaning(field, owner.rpartition(".")[2])
    return f"（{found}）" if found else ""


def struct_meaning(name: str) -> str:
    """Return what the struct `name` holds, or an empty text."""
    return _STRUCTS.get(name, "")
