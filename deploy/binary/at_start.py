"""Before the program begins: where the built-in model is, and that libraries stay away from the network."""

import os
import sys

os.environ.setdefault("MODELS_DIR", os.path.join(sys._MEIPASS, "model"))
os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
os.environ.setdefault("NICEGUI_STORAGE_PATH", os.path.join(os.environ.get("DATA_DIR", "data"), "nicegui"))
