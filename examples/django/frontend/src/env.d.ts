/// <reference types="vite/client" />
/// <reference types="static-s3/client" />
