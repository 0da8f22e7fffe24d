"""The networks: functions of plain numbers. These modules import keras; nothing else here does."""
