"""The dual-output SwinUNETR and its masked-autoencoder pretraining (docs/dual_swin_unetr.md)."""
