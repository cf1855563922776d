FROM archive-stand-in:base
WORKDIR /data
