# cmake -D DOCUMENT=openapi.json -D SOURCE=openapi.cc -P embed_openapi.cmake: the document as a C++ literal.
file(READ "${DOCUMENT}" text)
file(WRITE "${SOURCE}" "#include \"services/gateway/openapi.h\"

namespace keyferry::gateway {

std::string_view OpenApiDocument() { return R\"openapi(${text})openapi\"; }

}  // namespace keyferry::gateway
")
