"""GMGENet (Wang et al., Med Phys 2024;51:2007): trained and cross-validated on simulated patients."""
