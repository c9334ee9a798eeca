"""The tables that `reports` reads: abbreviations, tokens, sentences to skip, codes, and definitions of
grades."""

import re

_PLACE = (
    r"(?= (?:lung|upper|mid|lower|base|basilar|apical|pleural|hil|hemi|effusion|side|chest|rib|IJ|PICC|sub))"
)
_OLD = r"\d{1,3}[- ]?years?[- ]olds?"

# Written out or dropped before sentences are split.
ABBREVIATIONS = (
    (r"(?i)<br ?/?>", " "),
    (r"(?<=\d)(?=X{3,})", " "),
    (r"(?<=[a-z])\.(?=[A-Z][a-z])", ". "),
    (r"(?i)\b(?:case |image |images )?(?:courtesy of|credit to)\b[^\n]*", " "),
    (rf"(?i)\ban? {_OLD}(?:(?: \w+)? (?:wo)?man\b| (?:fe)?male\b(?: patient)?)?", "a patient"),
    (rf"(?i)\b{_OLD}\b|\baged? \d{{1,3}}\b", " "),
    (r"(?:^|(?<=[\s.:]))\d{1,2}[.)]\s+(?=[A-Z])", " "),
    (r"\b[Ww]/o\b", "without"),
    (r"\b[Ww]/\s?", "with "),
    (r"\b[Bb]/[Ll]\b", "bilateral"),
    (r"\b[Rr]/[Oo]\b", "rule out"),
    (r"\b[Rr]\.(?=\s?(?:upper|middle|lower|lung))", "right "),
    (r"\b[Ll]\.(?=\s?(?:upper|middle|lower|lung))", "left "),
    (r"\(S\d[\d+\-]*\)", ""),
    (r"\bRUL\b", "right upper lobe"),
    (r"\bRML\b", "right middle lobe"),
    (r"\bRLL\b", "right lower lobe"),
    (r"\bLUL\b", "left upper lobe"),
    (r"\bLLL\b", "left lower lobe"),
    (rf"\bR{_PLACE}", "right"),
    (rf"\bL{_PLACE}", "left"),
    (r"\b[Cc][Pp] (?=angle|sulc)", "costophrenic "),
    (r"\bCXR\b", "chest radiograph"),
    (r"\bSVC\b", "superior vena cava"),
    (r"\bGGOs?\b", "ground glass opacity"),
    (r"\bPTX\b", "pneumothorax"),
)

# Words for the de-identification token XXXX where its neighbours tell the word; else the token is removed.
TOKEN_FILLS = (
    (r"(?i)\bcostophrenic X{3,}(?:es)?", "costophrenic angles"),
    (r"\b[xX]-X{3,}s?", "x-ray"),
    (r"(?i)\bmost X{3,}\b", "most likely"),
    (r"(?i)\bX{3,} (?=represent|reflect|(?<!be )due to|relat|secondary to)", "likely "),
    (r"(?i)\bno X{3,} of\b", "no signs of"),
    (r"(?i)\blymph X{3,}\b", "lymph nodes"),
    (r"(?i)\baortic X{3,}\b", "aortic arch"),
    (r"(?i)\bsternotomy X{3,}\b", "sternotomy wires"),
    (r"(?i)\bsurgical X{3,}\b", "surgical clips"),
    (r"(?i)\bbony X{3,}\b", "bony structures"),
    (
        r"(?i)\bpulmonary X{3,}(?= (?:is|are|appears?|within|and|normal|unremarkable)\b)",
        "pulmonary vasculature",
    ),
    (r"(?i)\b(?:X{3,}|port)-a-X{3,}(?: X{3,})?", "port-a-cath"),
    (r"(?i)\b((?:left|right)(?:-sided)? chest) X{3,}(?=.*\b(?:tip|SVC|vena cava|atri))", r"\1 port"),
    (r"(?i)(?<!left )(?<!right )\bchest X{3,}\b", "chest radiograph"),
    (r"(?i)\bX{3,}-X{3,}\b", " "),
    (
        r"(?i)(?:,|\b(?:the|an?|with|of|and|or|to|from|on|in|at|by|since|dated|as|for|is|are|prior))"
        r"(?: X{3,})+(?=\s*[.,;]|$)",
        "",
    ),
    (r"(?i)^(?:X{3,} )+(?:and|or|of|is|are|in|the)\b", " "),
    (r"\bX{3,}\b(?:'s)?", " "),
)


# Sentences about the examination, its quality or its handling.
NO_FINDING_SENTENCE = re.compile(
    r"(?i)^(?:(?:(?:single|two|semi-?upright|upright|portable|frontal|ap|pa|lateral|chest|radiographs?"
    r"|views?|and|of|the"
    r"|in|x-?rays?|films?|\d+|projections?|images?|were|was|are|is|obtained|submitted|provided|available"
    r"|exam(?:ination)?|consists|,)\s*)+\.$"
    r"|(?:no (?:prior|previous|comparison)|comparison\b|none\.$|thanks|please|consider|recommend"
    r"|if (?:one|clinical|none|desired))"
    r"|.*\b(?:discussed with|communicated (?:with|to)|telephoned|notified|notification|acknowledged receipt"
    r"|critical result)"
    r"|(?=(?:\S+ ){1,16}\S+$).*\b(?:if clinically|(?:may|might|would|could) (?:also )?be (?:helpful|useful))"
    r"|(?:clinical correlat|correlat))"
)


# MeSH heads that are body parts: they state a finding only together with a word for it.
MESH_BODY_PARTS = frozenset(
    {
        "aorta",
        "aorta, thoracic",
        "cardiac shadow",
        "diaphragm",
        "lumbar vertebrae",
        "lymph nodes",
        "mediastinum",
        "pleura",
        "shift",
        "spine",
        "sulcus",
        "thoracic vertebrae",
    }
)

# A sentence of a clinical note with one of these words is not about the film.
NOT_OF_THE_FILM = re.compile(
    r"(?i)\b(?:CT|MRI|TTE|tomogra\w+|ultraso\w+|echocardio\w+|history|admitted|transferred|biops\w+|autops\w+"
    r"|[mpnu]g ?/ ?d?L|mmol|mmHg|presented (?:to|with)|status post)\b"
)

# (MeSH head, words after it, finding id); "" means no finding. The first row that fits counts.
MESH = (
    (r"lung", r"hypoinflation", "low_lung_volumes"),
    (r"lung", r"hyperdistention", "hyperinflation"),
    (r"lung", r"hilum.*(?:prominent|enlarged)", "hilar_enlargement"),
    (r"lung", r"interstitial", "increased_markings"),
    (r"diaphragm", r"flattened", "hyperinflation"),
    (r"diaphragm", r"elevated", "elevated_hemidiaphragm"),
    (r"aorta(?:, thoracic)?", r"tortuous", "tortuous_aorta"),
    (r"aorta(?:, thoracic)?", r"enlarged|prominent|dilat", "aortic_enlargement"),
    (r"(?:thoracic vertebrae|spine|lumbar vertebrae)", r"degenerative", "spinal_degeneration"),
    (r"mediastinum", r"prominent|enlarged", "enlarged_cardiomediastinum"),
    (r"(?:cardiac shadow|heart)", r"enlarged|prominent", "cardiomegaly"),
    (r"costophrenic angle|sulcus", r"blunted", "blunted_costophrenic_angle"),
    (r"thickening", r"pleura", "pleural_thickening"),
    (r"thickening", r"bronch", "bronchial_thickening"),
    (r"calcinosis", r"aort", "aortic_calcification"),
    (r"calcinosis", r"(?:heart|coronary|abdomen|breast|vessel|neck|shoulder|trachea)", ""),
    (
        r"(?:opacity|density)",
        r"(?:heart|breast|abdomen|mediastinum|humerus|neck|clavicle|diaphragm|soft tissue)",
        "",
    ),
    (r"(?:opacity|density)", r"round", "nodule"),
    (r"(?:opacity|density)", r"", "lung_opacity"),
    (r"nodule", r"prominent", ""),
    (r"cicatrix", r"pleura", "pleural_thickening"),
    (r"pulmonary artery", r"enlarged|prominent|dilat", "pulmonary_artery_enlargement"),
    (r"pulmonary artery", r"", ""),
    (r"shift", r"mediastin|trachea|heart", "mediastinal_shift"),
    (r"consolidation", r"", "consolidation"),
    (r"emphysema", r"subcutaneous", "subcutaneous_emphysema"),
)

# The lesions that define a grade or diagnosis. Retinopathy: the International Clinical
# Diabetic Retinopathy severity scale (Wilkinson et al., Ophthalmology 2003); macular edema risk: hard
# exudates and their distance from the fovea.
DEFINED_BY = {
    "mild_npdr": (
        ("diabetic_retinopathy", "affirmed"),
        ("microaneurysm", "affirmed"),
        ("haemorrhage", "denied"),
        ("hard_exudate", "denied"),
        ("soft_exudate", "denied"),
        ("neovascularisation", "denied"),
    ),
    "moderate_npdr": (
        ("diabetic_retinopathy", "affirmed"),
        ("microaneurysm", "affirmed"),
        ("haemorrhage", "affirmed"),
        ("hard_exudate", "hedged"),
        ("soft_exudate", "hedged"),
        ("neovascularisation", "denied"),
    ),
    "severe_npdr": (
        ("diabetic_retinopathy", "affirmed"),
        ("microaneurysm", "affirmed"),
        ("haemorrhage", "affirmed"),
        ("venous_beading", "hedged"),
        ("irma", "hedged"),
        ("soft_exudate", "hedged"),
        ("neovascularisation", "denied"),
    ),
    "proliferative_dr": (
        ("diabetic_retinopathy", "affirmed"),
        ("neovascularisation", "affirmed"),
        ("vitreous_haemorrhage", "hedged"),
    ),
    "macular_edema_risk_1": (("hard_exudate", "affirmed"),),
    "macular_edema_risk_2": (("hard_exudate", "affirmed"), ("macular_edema", "affirmed")),
    "dry_amd": (("amd", "affirmed"), ("wet_amd", "denied")),
    "wet_amd": (("amd", "affirmed"),),
    "gleason_3": (("prostate_tumor", "affirmed"),),
    "gleason_4": (("prostate_tumor", "affirmed"),),
    "gleason_5": (("prostate_tumor", "affirmed"),),
    "benign_breast_tumor": (("malignant_breast_tumor", "denied"),),
    "necrotic_osteosarcoma": (("necrosis", "affirmed"), ("viable_osteosarcoma", "denied")),
    "normal_oral_epithelium": (("oral_squamous_cell_carcinoma", "denied"),),
    "normal_lymph_node": (("lymph_node_metastasis", "denied"), ("lymphocytes", "affirmed")),
    "normal_colon": (
        ("colorectal_adenocarcinoma", "denied"),
        ("colorectal_polyp", "denied"),
        ("colon_gland", "affirmed"),
    ),
    "colorectal_polyp": (("colon_gland", "affirmed"),),
    "benign_prostate": (("prostate_tumor", "denied"),),
    "normal_lung": (("lung_adenocarcinoma", "denied"), ("lung_squamous_cell_carcinoma", "denied")),
    "normal_bone": (("viable_osteosarcoma", "denied"),),
}

NEGATIVE_LABELS = {
    "no diabetic retinopathy": ("diabetic_retinopathy", "microaneurysm", "haemorrhage", "neovascularisation"),
    "no macular edema risk (no visible hard exudate)": ("hard_exudate", "macular_edema"),
    "no glaucomatous optic neuropathy": ("glaucoma",),
}

# The common findings that are absent from an image called normal.
NORMAL_DENIES = {
    "normal_chest": (
        "atelectasis",
        "cardiomegaly",
        "pleural_effusion",
        "infiltration",
        "mass",
        "nodule",
        "pneumonia",
        "pneumothorax",
        "consolidation",
        "edema",
        "lung_opacity",
    ),
    "normal_fundus": (
        "diabetic_retinopathy",
        "microaneurysm",
        "haemorrhage",
        "hard_exudate",
        "soft_exudate",
        "drusen",
        "glaucoma",
        "cataract",
        "epiretinal_membrane",
        "pathological_myopia",
    ),
}
