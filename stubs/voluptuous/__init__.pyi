# Home Assistant serves probatio under the name voluptuous; the types are probatio's.
from probatio import *
