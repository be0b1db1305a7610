#!/bin/sh
# The figures of the model cards and of docs/results.md: 20 unseen simulated patients, analyzed and evaluated.
#   sh scripts/evaluate_models.sh WORK [CASES] [DIFFICULTY]
# WORK keeps cohort and results, so that a broken run goes on where it stopped.
set -eu
work=$1; cases=${2:-20}; difficulty=${3:-medium}; seed=9001
here=$(cd "$(dirname "$0")/.." && pwd)
ece="$here/.venv/bin/ece"
mkdir -p "$work"
[ -f "$work/cohort/manifest.json" ] || "$ece" simulate "$work/cohort" --cases "$cases" --seed $seed --difficulty "$difficulty" --as nifti
mkdir -p "$work/results"
for case in "$work"/cohort/case_*; do
    name=$(basename "$case")
    [ -f "$work/results/$name/result.json" ] || "$ece" analyze "$case/ct.nii.gz" "$work/results/$name" --device cpu --explain none
done
"$ece" evaluate segmentation "$work/results" "$work/cohort" --out "$work/segmentation"
"$ece" evaluate classification "$work/results" "$work/cohort" --out "$work/classification"
"$here/.venv/bin/python" "$here/scripts/update_model_cards.py" "$work/segmentation/metrics.json" \
    "$work/classification/metrics.json" --cohort "$cases simulated patients, $difficulty, seed $seed, not used in training"
