FROM archive-stand-in:base
COPY postgres-entrypoint /
ENTRYPOINT ["/postgres-entrypoint"]
