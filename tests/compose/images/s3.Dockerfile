FROM archive-stand-in:base
COPY weed /usr/bin/weed
RUN ln -sf busybox /usr/bin/wget && install -d -o 1000 -g 1000 /data
