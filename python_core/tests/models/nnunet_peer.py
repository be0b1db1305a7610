"""Run by the slow test under an interpreter that has nnunetv2: its own trainer, checkpoint, and predictor.

python nnunet_peer.py FOLDER KIND: reads FOLDER/image.npy and spacing.npy, writes FOLDER/trained (the results folder)
and preprocessed.npy, logits.npy and labels.npy, what nnU-Net makes of the image.
"""

import copy
import json
import os
import sys
from pathlib import Path

KINDS = {
    "plain": {"residual": False, "transpose_forward": (0, 1, 2), "labels": None, "folds": (0, 1), "mirror": False},
    "residual": {
        "residual": True, "transpose_forward": (2, 0, 1), "folds": (0,), "mirror": True,
        "labels": {"background": 0, "ENE": 1, "N": 2, "P": 3},
    },
}  # fmt: skip


def main(folder: Path, kind: str) -> None:
    os.environ["nnUNet_compile"] = "f"  # noqa: SIM112  nnU-Net's own spelling, here and below
    for name in ("raw", "preprocessed", "results"):
        os.environ[f"nnUNet_{name}"] = str(folder / name)
    import nnunet_plans
    import numpy as np
    import torch

    chosen = KINDS[kind]
    plans = nnunet_plans.plans(chosen["residual"], chosen["transpose_forward"])
    dataset = nnunet_plans.dataset(chosen["labels"])
    trained = folder / "trained"
    for fold in chosen["folds"]:
        torch.manual_seed(fold)
        _train(plans, dataset, fold, trained)
    (trained / "plans.json").write_text(json.dumps(plans))
    (trained / "dataset.json").write_text(json.dumps(dataset))
    answers = _predict(trained, chosen, np.load(folder / "image.npy"), np.load(folder / "spacing.npy").tolist())
    for name, array in answers.items():
        np.save(folder / f"{name}.npy", array)


def _train(plans: dict, dataset: dict, fold: int, trained: Path) -> None:
    """One step of nnU-Net's own trainer on noise, so that its optimizer and log hold something, then its checkpoint."""
    import numpy as np
    import torch
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    stored = Path(os.environ["nnUNet_preprocessed"]) / plans["dataset_name"] / "nnUNetPlans_3d_fullres"  # noqa: SIM112
    stored.mkdir(parents=True, exist_ok=True)
    (stored / "case.b2nd").touch()
    (stored / "case.pkl").touch()
    given = {**copy.deepcopy(plans), "continue_training": False}
    trainer = nnUNetTrainer(given, "3d_fullres", fold, copy.deepcopy(dataset), torch.device("cpu"))
    trainer.initialize()
    with torch.no_grad():  # far from ties, and no norm that does nothing
        for name, value in trainer.network.named_parameters():
            value.add_(torch.randn_like(value) * (0.3 if value.ndim == 1 else 0.02))
            if ".seg_layers." in name:
                value.mul_(4.0)
    image = torch.randn(2, 1, *plans["configurations"]["3d_fullres"]["patch_size"])
    target = [torch.zeros(2, 1, *output.shape[2:]) for output in trainer.network(image)]
    trainer.train_step({"data": image, "target": target})
    trainer._best_ema = np.float64(0.5)
    trainer.inference_allowed_mirroring_axes = (0, 1, 2)
    place = trained / f"fold_{fold}"
    place.mkdir(parents=True)
    trainer.save_checkpoint(str(place / "checkpoint_final.pth"))


def _predict(trained: Path, chosen: dict, image, spacing: list[float]) -> dict:
    import torch
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
    from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor

    predictor = nnUNetPredictor(
        use_mirroring=chosen["mirror"], perform_everything_on_device=False, device=torch.device("cpu"),
        allow_tqdm=False,
    )  # fmt: skip
    predictor.initialize_from_trained_model_folder(str(trained), chosen["folds"], "checkpoint_final.pth")
    preprocessed, _, _ = DefaultPreprocessor(verbose=False).run_case_npy(
        image[None], None, {"spacing": spacing}, predictor.plans_manager, predictor.configuration_manager,
        predictor.dataset_json,
    )  # fmt: skip
    halves, torch.half = torch.half, torch.float32  # it adds up tiles in halves, whose three digits hide differences
    logits = predictor.predict_logits_from_preprocessed_data(torch.from_numpy(preprocessed))
    torch.half = halves
    labels = predictor.predict_single_npy_array(image[None], {"spacing": spacing}, None, None, False)
    return {"preprocessed": preprocessed[0], "logits": logits.numpy(), "labels": labels}


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
