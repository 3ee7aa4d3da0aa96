import os

SECRET_KEY = "bench"
INSTALLED_APPS = ["django.contrib.staticfiles"]
STATIC_URL = "/static/"
STATICFILES_DIRS = [os.environ["BENCH_FOLDER"]]
STATICFILES_STORAGE = "storages.backends.s3boto3.S3StaticStorage"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": STATICFILES_STORAGE},
}
if __import__("django").VERSION < (4, 2):
    del STORAGES
else:
    del STATICFILES_STORAGE
AWS_S3_ENDPOINT_URL = os.environ["BENCH_ENDPOINT"]
AWS_STORAGE_BUCKET_NAME = os.environ["BENCH_BUCKET"]
AWS_LOCATION = os.environ["BENCH_LOCATION"]
