"""The words of clinical sentences: spellings, negations, hedges and how far they reach, normality."""

import re

AFFIRMED, DENIED, HEDGED = "affirmed", "denied", "hedged"

SHORTHAND = (
    (r"[’`´]", "'"),
    (r"\bcan't\b", "can not"),
    (r"\b(is|are|was|were|do|does|did|has|have|could)n't\b", r"\1 not"),
    (r"\bw/o\b", "without"),
    (r"\br/o\b", "rule out"),
    (r"\be/o\b", "evidence of"),
    (r"\bc/w\b", "consistent with"),
    (r"\bs/p\b", "status post"),
    (r"\bb/l\b", "bilateral"),
    (r"\b(?:rt|r)\b\.?(?![/'])", "right"),
    (r"\b(?:lt|l)\b\.?(?![/'])", "left"),
    (r"\brul\b", "right upper lobe"),
    (r"\brml\b", "right middle lobe"),
    (r"\brll\b", "right lower lobe"),
    (r"\blul\b", "left upper lobe"),
    (r"\blll\b", "left lower lobe"),
)
SPELLINGS = (
    (r"haemorrhag", "hemorrhag"),
    (r"oedema", "edema"),
    (r"fibres?\b", "fiber"),
    (r"neovascularis", "neovasculariz"),
    (r"tumour", "tumor"),
    (r"\bair space", "airspace"),
    (r"\bcardio mediastin", "cardiomediastin"),
    (r"\bbi basilar", "bibasilar"),
    (r"\bsub segmental", "subsegmental"),
    (r"\bplate like", "platelike"),
    (r"\bmid lung", "midlung"),
    (r"\b(?:left and right|right and left)\b", "bilateral"),
    (r"\blobes? (?=atelecta|collapse)", "lobe "),
    (r"\bpleural fusion", "pleural effusion"),
    (r"\bperi hilar", "perihilar"),
    (r"\bmasslike", "mass like"),
    (r"\bnon (?=proliferative)", "non"),
)


# Phrases that hold a finding's word but not the finding, or a negation that negates nothing.
IGNORED = re.compile(
    r"\b(?:no|without|not)(?: (?:significant|significantly|interval|acute|substantial|appreciable|definite"
    r"|gross|real|much))* (?:change[sd]?\b(?! of prior)|increase|interval change|worsening|progression)\b"
    r"(?: (?:in|of|from))?"
    r"|\bnormal (?:thoracic )?kyphosis\b|\bnot only\b|\bno doubt\b|\bno priors?\b|\bmass effect\b"
    r"|\b(?:thoracic|abdominal|pleural|chest) cavit(?:y|ies)|\b(?:pericardial|joint) effusions?\b"
    r"|\bnot (?:well|fully|completely|optimally) (?:seen|visualized|evaluated|imaged)"
)

# How far a negation or a hedge reaches back from a finding.
SCOPE_END = re.compile(
    r"[;:]|\b(?:but|however|although|though|except|aside from|apart from|other than|which|whereas|yet"
    r"|secondary to"
    r"|due to|there (?:is|are|has)|is noted|are noted|is seen|are seen|otherwise)\b"
)

NEGATION_BEFORE = re.compile(
    r"\b(?:no|without|negative for|free of|free from|clear of|absence of|absent|not|denies|neither|nor|never"
    r"|resolution of|(?:^|the |interval )resolved|clearing of|removal of|rather than|excluded|lack of"
    r"|devoid of|ruled out|excludes|nothing to suggest|nothing like|lacks|lacking|nil|zero|unlikely"
    r"|cannot (?:see|find|identify|make out|detect|appreciate))\b"
)
NEGATION_AFTER = re.compile(
    r"\W{0,3}(?:(?:has been |was |been )?(?:absent|excluded|ruled out|unlikely|resolved|cleared|gone)\b"
    r"|(?:none|no|nil|negative)(?=[,;]|\W*$))"
    r"|[^,;]{0,60}?\b(?:(?:is|are|was|were)(?: both)? (?:now |currently )?(?:absent|excluded|ruled out"
    r"|unlikely|removed|resolved|lacking|missing|negative|gone)"
    r"|(?:has|have) (?:now )?been (?:excluded|ruled out)"
    r"|(?:has|have)(?: since| now| nearly| completely| been)* (?:resolved|cleared|removed|disappeared)"
    r"|no longer (?:there|seen|visualized|present|identified|evident|visible)"
    r"|(?:can ?not|could not) be (?:seen|identified|demonstrated|detected|made out|found)"
    r"|not (?:there|seen|identified|found|shown|made out|visualized|present|evident|appreciated"
    r"|demonstrated|visible|noted|detected|crowded|enlarged|recogni[sz]able))\b"
)
HEDGE_BEFORE = re.compile(
    r"\b(?:may (?:represent|reflect|be|indicate|suggest|relate)|might|could (?:represent|reflect|be"
    r"|indicate|relate)"
    r"|possibly|possible|(?:can ?not|can't|could not|difficult to|not) (?:\w+ly )?(?:exclude|rule out"
    r"|excluded)"
    r"|questionable|borderline|question|question of|suspected|suspicious for|suspicion (?:of|for)"
    r"|concerning for|worrisome for"
    r"|differential|versus|vs|evaluate for|evaluation of|evaluation for|rule out|equivocal|conceivably"
    r"|raises?|if|query|queried|suspect|maybe|perhaps|concern (?:of|for)|uncertain|unsure|ruling out"
    r"|to exclude|^exclude|whether)\b|\?"
)
HEDGE_AFTER = re.compile(
    r"\W{0,2}\?|[^,;]{0,40}?\b(?:(?:can ?not|can't|could not|not) (?:be )?(?:\w+ ){0,1}(?:excluded|ruled out)"
    r"|(?:is|are) (?:possible|suspected|questioned|questionable)|versus|vs|is a consideration"
    r"|should be considered"
    r"|may be present)\b"
)
# A negation of a negation: what it governs is there ("not free of effusion"); "not excluded" is a hedge.
DOUBLE_NEGATION = re.compile(
    r"\b(?:no|not|never|neither|cannot|without)\b (?:(?:an?|the|any|be|been|completely|entirely|fully) ){0,2}"
    r"(?:without|absen(?:t|ce of)|free (?:of|from)|clear of|negative for|lack(?:ing|s)?(?: of)?|devoid of"
    r"|resolved|resolution of|cleared|clearing of|gone|disappeared|missing|removed)\b"
)
# Training counts what these govern as there; whoever asks is told that it was hedged.
LIKELY = re.compile(r"\b(?:probabl[ey]|likely|presumabl[ey]|presumed)\b(?: \w+){0,4} ?$")
LIKELY_AFTER = re.compile(r"\W{0,2}(?:is |are )?(?:likely|probable|presumed)\W*$")
QUESTION = re.compile(
    r"^(?:(?:so|and|but|please|ok|hello|hi)\b,? )*(?:is|are|was|were|do|does|did|can|could|should|would|will"
    r"|has|have|any|what|whats|where|who|why|how|show|tell|find|look(?! ?s)|search|check|give|explain"
    r"|describe|identify|detect|diagnose|help)\b|\?\s*$"
)

# The whole chest is called normal; or only free of what is acute, which leaves room for the chronic.
NORMAL = re.compile(
    r"\b(?:normal (?:chest|exam\w*|study)|(?:chest|exam\w*|study|radiograph)(?: is| appears)? (?:normal"
    r"|unremarkable)"
    r"|negative chest|unremarkable (?:chest|exam\w*))\b"
)
NOTHING_ACUTE = re.compile(
    r"\bno (?:(?:signs?|findings?|(?:radiographic |plain film )?evidence) of |definite |visible )?(?:any )?"
    r"(?:acute|active)(?:,? (?:or active|active|or acute|or|and|cardiac|cardiopulmonary|cardiothoracic"
    r"|pulmonary"
    r"|intrathoracic|thoracic|chest|lung|cardiovascular|disease|radiographic|preoperative))*"
    r" ?(?:abnormalit(?:y|ies)|disease|process(?:es)?|findings?|pathology)\b"
)
BONE_INTACT = re.compile(
    r"\bno (?:evidence of )?(?:acute |focal |displaced )?(?:bony?|osseous|skeletal) (?:abnormalit"
    r"|lesion|finding)"
    r"|\b(?:bones?|bony|osseous|skelet\w+)\b.*\b(?:no|without) (?:acute )?abnormalit"
)
BONES = re.compile(r"\b(?:bones?|bony|osseous|skelet\w+|ribs?|spine)\b")

NORMAL_WORDS = re.compile(
    r"\b(?:normal(?:ly)?|unremarkable|(?:with)?in normal limits|intact|clear|midline|sharp|not enlarged"
    r"|not widened"
    r"|grossly clear|well (?:expanded|aerated|inflated)|fully expanded|normally (?:inflated|expanded))\b"
)

# Where the subject of a normal word may begin, and words that take the normality back.
NORMALITY_START = re.compile(r"[;.]|\b(?:but|with|without|no|except|although|however)\b")
NOT_QUITE_NORMAL = re.compile(
    r"\b(?:(?:not|otherwise|limits?(?: of)?|top|abnormal|borderline|near)\s*\w*\s*$|remain(?:der|ing)\b"
    r"|rest of)"
)

# (subject, normal words that count for it, findings then denied)
NORMAL_SUBJECTS = (
    (r"\b(?:heart|cardiac|cardiomediastinal|cardio)", r"normal|unremarkable|not enlarged", ("cardiomegaly",)),
    (
        r"\b(?:cardio)?mediastin",
        r"normal|unremarkable|not (?:enlarged|widened)",
        ("enlarged_cardiomediastinum",),
    ),
    (r"\bhil(?:um|a|ar)\b", r"normal|unremarkable", ("hilar_enlargement",)),
    (r"\b(?:vascul|vessels)", r"normal|unremarkable", ("vascular_congestion",)),
    (r"\blungs\b(?! vol)", r"clear|unremarkable|normal$", ("lung_opacity", "airspace_disease")),
    (r"\bpleura", r"clear|normal|unremarkable", ("pleural_effusion",)),
    (
        r"\b(?:costophrenic|sulci)",
        r"clear|sharp|normal|intact",
        ("pleural_effusion", "blunted_costophrenic_angle"),
    ),
    (r"\baort", r"normal|unremarkable", ("tortuous_aorta",)),
    (r"\btrachea", r"midline", ("mediastinal_shift",)),
    (r"\b(?:bones?|bony|osseous|ribs?|skelet)", r"intact|unremarkable|normal", ("fracture",)),
    (r"\b(?:spine|vertebra)", r"unremarkable|normal", ("spinal_degeneration",)),
    (r"\bdiaphragm", r"unremarkable|normal", ("elevated_hemidiaphragm",)),
    (r"\blungs\b", r"expanded|inflated|aerated", ("low_lung_volumes",)),
    (r"\blung volumes\b", r"normal", ("low_lung_volumes",)),
)

# Families of findings for which a zone of the lung is kept.
ZONED = frozenset({"airspace", "nodule", "interstitial", "calcification", "pleura", "volume"})
# Families whose findings lie together: a place said of one is handed on to the next.
SHARED = ZONED - {"volume"}
