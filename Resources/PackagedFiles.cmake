# Written by Testing/panel/list_packaged_files.py; do not edit.
set(SHARED_RESOURCES
  Models/lymph-node-densenet/hr_cam.safetensors
  Models/lymph-node-densenet/model.json
  Models/lymph-node-densenet/patterns.safetensors
  Models/lymph-node-densenet/weights.safetensors
  Models/lymph-node-unet/contour_quality.safetensors
  Models/lymph-node-unet/model.json
  Models/lymph-node-unet/weights.safetensors
)
