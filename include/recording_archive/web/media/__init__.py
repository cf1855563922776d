"""Bytes over HTTP: the stored object (`retrieve`), the audio inside it (`playback`), its waveform (`peaks`).

`streams` sends bytes in bounded numbers and constant memory; `ranges` reads the Range and conditional headers.
"""
