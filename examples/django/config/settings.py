import os
from pathlib import Path
from urllib.parse import urlsplit

from dotenv import load_dotenv

BASE_DIR = Path(__file__).resolve().parent.parent

# The shell beats the file, as in Vite. boto3 finds the credentials in the environment, too.
load_dotenv(BASE_DIR / ".env")


def is_on(name):
    return os.environ.get(name, "").lower() in {"1", "true", "yes", "on"}


SECRET_KEY = os.environ["SECRET_KEY"]
DEBUG = is_on("DEBUG")
# E-mails have no request to make absolute URLs from.
SITE_URL = os.environ["SITE_URL"]
ALLOWED_HOSTS = [urlsplit(SITE_URL).hostname]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "shop",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "db.sqlite3"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True

# Each e-mail is a file in outbox/. Replace it with your mail server.
EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
EMAIL_FILE_PATH = BASE_DIR / "outbox"

# Vite's output. Its manifest stays on this disk.
FRONTEND_DIST = BASE_DIR / "frontend/dist"
STATIC_ROOT = BASE_DIR / "staticfiles"

if is_on("USE_S3"):
    # django-storages reads these.
    AWS_STORAGE_BUCKET_NAME = os.environ["AWS_STORAGE_BUCKET_NAME"]
    AWS_S3_REGION_NAME = os.environ["AWS_S3_REGION_NAME"]
    AWS_S3_CUSTOM_DOMAIN = os.environ["AWS_S3_CUSTOM_DOMAIN"]
    AWS_S3_ENDPOINT_URL = os.environ.get("AWS_S3_ENDPOINT_URL")
    AWS_S3_URL_PROTOCOL = os.environ.get("AWS_S3_URL_PROTOCOL", "https:")

    # Three locations side by side, one for each tool that writes.
    bucket_url = f"{AWS_S3_URL_PROTOCOL}//{AWS_S3_CUSTOM_DOMAIN}"
    STATIC_URL = f"{bucket_url}/{os.environ['AWS_LOCATION']}/"  # the build: `import.meta.env.STATIC_URL`
    MEDIA_URL = f"{bucket_url}/media/"
    STORAGES = {
        "default": {
            "BACKEND": "storages.backends.s3.S3Storage",
            "OPTIONS": {"location": "media", "file_overwrite": False},
        },
        # collectstatic writes to STATIC_ROOT, and static-s3 uploads that folder.
        "staticfiles": {
            "BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage",
            "OPTIONS": {"base_url": f"{bucket_url}/django/"},
        },
    }
else:
    STATIC_URL = "/static/"
    STATICFILES_DIRS = [FRONTEND_DIST]
    MEDIA_URL = "/media/"
    MEDIA_ROOT = BASE_DIR / "media"
