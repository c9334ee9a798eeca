import pytest

from afloc.evaluation.datasets.mask_names import finding_of_file


@pytest.mark.parametrize(
    "name, finding",
    [
        ("film-07_pleural-effusion_mask.png", "pleural effusion"),
        ("Cardiomegaly.png", "cardiomegaly"),
        ("00013_2_PleuralEffusion_gt.tif", "pleural effusion"),
        ("masks/a/hard_exudates_012.png", "hard exudates"),
        ("IDRiD_55_MA.tif", "microaneurysm"),
        ("C:\\masks\\Pneumothorax 3.png", "pneumothorax"),
        ("mask.png", None),
        ("finding.png", None),
        ("patient 12.png", None),
        ("nodule_and_effusion.png", None),  # of which it is the mask, only its author knows
        ("0001.png", None),
        ("", None),
    ],
)
def test_the_name_of_a_mask(name, finding):
    assert finding_of_file(name) == finding
