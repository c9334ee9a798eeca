#!/bin/sh
# Train all stages with larger pictures and evaluate them, in one go:
#
#   deploy/train_large.sh DATA OUT [RECIPE] [DEVICE]
#
# RECIPE is assets/configs/large.toml and DEVICE cuda unless given. DATA holds train.csv and eval.csv in a folder for
# each modality. The language stage comes first, then the image stages, all at once on a GPU. The same command goes on
# with what a killed one left.
set -eu

data=$1 out=$2 recipe=${3:-assets/configs/large.toml} device=${4:-cuda}
python=${PYTHON:-python}
modalities=$("$python" -c 'import sys, tomllib; print(*tomllib.load(open(sys.argv[1], "rb"))["images"])' "$recipe")

train() {
    "$python" -m afloc train "$recipe" --data "$data" --out "$out" --device "$device" "$@"
}

mkdir -p "$out"
train --stage language
workers=$(($(nproc) / $(echo "$modalities" | wc -w)))
running=
for modality in $modalities; do
    if [ "$device" = cuda ]; then
        train --stage "$modality" --workers "$workers" 2> "$out/$modality.log" &
        running="$running $!"
    else
        train --stage "$modality"
    fi
done
for each in $running; do
    wait "$each" # its status is the script's
done
train
for modality in $modalities; do
    "$python" -m afloc evaluate "$data/$modality/eval.csv" --model "$out/model" --device "$device" \
        --out "$out/evaluation/$modality" --no-figures
done
