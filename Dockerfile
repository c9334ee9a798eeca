# The page as a container: as a user without rights, on a root file system that may be read-only.
# pip brings the CUDA build of PyTorch, which also runs on the CPU. For a small image without CUDA, name the
# index of PyTorch's CPU builds:  docker build --build-arg TORCH_INDEX=… -t afloc .
FROM python:3.11-slim

ARG TORCH_INDEX="" EXTRAS="postgres"
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /app

COPY requirements.txt pyproject.toml ./
RUN pip install ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} -r requirements.txt \
    && pip install $(python -c 'import sys, tomllib; \
extras = tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]; \
print(*(needed for name in sys.argv[1:] for needed in extras[name]))' $EXTRAS)

COPY app.py README.md LICENSE ./
COPY assets assets
COPY afloc afloc

RUN useradd --uid 10001 --no-create-home afloc && install -d -o afloc /data
USER afloc
VOLUME /data
ENV HOME=/tmp HF_HOME=/data/models AFLOC_DATA_DIR=/data AFLOC_HOST=0.0.0.0 AFLOC_PORT=7860
EXPOSE 7860
HEALTHCHECK --start-period=60s --interval=15s --timeout=5s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:7860/health', timeout=4)"]
CMD ["python", "app.py"]
