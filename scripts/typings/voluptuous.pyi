# What `import voluptuous` gives from Home Assistant 2026.9 on.
from probatio import *
