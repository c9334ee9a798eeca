"""Sets that are folders: images here, masks there, matched by the names of the files. Give the folder."""

from collections.abc import Iterator
from pathlib import Path

from afloc.errors import DataError
from afloc.evaluation.datasets.ground_truth import GroundTruth, MaskFile
from afloc.evaluation.datasets.rows import Row, check_label

_PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".dcm")
_IDRID = {  # folder of a lesion, the end of its files' names, what it is called in the findings list
    "1. Microaneurysms": ("MA", "microaneurysm"),
    "2. Haemorrhages": ("HE", "haemorrhage"),
    "3. Hard Exudates": ("EX", "hard exudate"),
    "4. Soft Exudates": ("SE", "soft exudate"),
    "5. Optic Disc": ("OD", "optic disc"),
}


def is_known(folder: Path) -> bool:
    """Whether a folder has one of the layouts below, or was meant to."""
    named = ("A. Segmentation", "1. Original Images", "covid_rural_annot", "pngs_masks", "jpgs")
    masks = folder / "masks"
    found = folder.name == "A. Segmentation" or any((folder / name).is_dir() for name in named)
    return found or (masks.is_dir() and any(each.is_dir() for each in masks.iterdir()))


def read_folder(folder: Path) -> Iterator[Row]:
    """The set in a folder, whichever of the three layouts below it has."""
    if (inside := folder / "A. Segmentation").is_dir():
        folder = inside
    if (folder / "1. Original Images").is_dir() or folder.name == "A. Segmentation":
        return read_idrid(folder)
    if (folder / "covid_rural_annot").is_dir():
        folder = folder / "covid_rural_annot"
    if (folder / "pngs_masks").is_dir() or (folder / "jpgs").is_dir():
        return read_covid_rural(folder)
    return read_masks(folder)


def read_idrid(folder: Path) -> Iterator[Row]:
    """IDRiD: the folder `A. Segmentation` (ieee-dataport.org, Indian Diabetic Retinopathy Image Dataset).

    `1. Original Images/b. Testing Set/IDRiD_55.jpg`, `2. All Segmentation Groundtruths/b. Testing Set/1.
    Microaneurysms/IDRiD_55_MA.tif`; the testing set if it is there, else the training set. A lesion without a
    file is not there.
    """
    masks = _folder(folder, "2. All Segmentation Groundtruths")
    images = _folder(folder, "1. Original Images")
    part = "b. Testing Set" if (images / "b. Testing Set").is_dir() else "a. Training Set"
    masks = _folder(masks, part)
    for image in _pictures(_folder(images, part)):
        truths = []
        for name, (ending, label) in _IDRID.items():
            if (file := _folder(masks, name) / f"{image.stem}_{ending}.tif").is_file():
                truths.append(GroundTruth(label, mask=MaskFile(file, file.name)))
        yield _row(folder, image, tuple(truths), "IDRiD", "fundus")


def read_covid_rural(folder: Path) -> Iterator[Row]:
    """COVID Rural: the folder `covid_rural_annot`.

    github.com/haimingt/opacity_segmentation_covid_chest_X_ray: films `jpgs/*.jpg`, such as
    COVID-19-AR-16406488_01-15-2012-XR, their opacities `pngs_masks/*.png`. The films that have a mask.
    """
    masks = _folder(folder, "pngs_masks")
    films = {film.stem: film for film in _pictures(_folder(folder, "jpgs"))}
    for file in _pictures(masks):
        if file.stem not in films:
            raise DataError(f"{folder.name}: jpgs lacks the film of pngs_masks/{file.name}.")
        truth = GroundTruth("Opacity", mask=MaskFile(file, file.name))
        film = films[file.stem]
        yield _row(folder, film, (truth,), "COVID Rural", "chest_xray", film.stem.split("_")[0])


def read_masks(folder: Path) -> Iterator[Row]:
    """A folder with `images/` and, in `masks/`, a folder for each finding, the masks named as the images."""
    images, masks = _folder(folder, "images"), _folder(folder, "masks")
    findings = sorted(path for path in masks.iterdir() if path.is_dir())
    if not findings:
        raise DataError(f"{folder.name}: masks holds no folder that is named as a finding.")
    drawn: dict[str, list[GroundTruth]] = {}
    for finding in findings:
        label = check_label(finding.name.replace("_", " "), f"{folder.name}, masks")
        for file in _pictures(finding):
            drawn.setdefault(file.stem, []).append(GroundTruth(label, mask=MaskFile(file, file.name)))
    pictures = {image.stem: image for image in _pictures(images)}
    if lost := sorted(drawn.keys() - pictures.keys()):
        raise DataError(f"{folder.name}: images lacks the image of the mask {lost[0]}.")
    for stem, image in pictures.items():
        yield _row(folder, image, tuple(drawn.get(stem, ())), folder.name, None)


def _row(
    folder: Path,
    image: Path,
    truths: tuple[GroundTruth, ...],
    source: str,
    modality: str | None,
    patient: str = "",
) -> Row:
    name = image.relative_to(folder).as_posix()
    return Row(
        name=name,
        path=image,
        location=f"{folder.name}, {name}",
        truths=truths,
        labels=tuple(truth.label for truth in truths),
        patient=patient or image.stem,
        source=source,
        modality=modality,
    )


def _folder(parent: Path, name: str) -> Path:
    if not (parent / name).is_dir():
        raise DataError(f"{parent.name} lacks the folder {name}.")
    return parent / name


def _pictures(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in _PICTURES)
    if not found:
        raise DataError(f"{folder.name} holds no picture.")
    return found
