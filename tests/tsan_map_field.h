// In the tsan build this stands before protobuf's own map_field.h, whose MapFieldBase has two members more under TSan: Debian's libprotobuf was
// built without them and would take one for the other.
#ifndef KEYFERRY_TESTS_TSAN_MAP_FIELD_H_
#define KEYFERRY_TESTS_TSAN_MAP_FIELD_H_

#pragma push_macro("__SANITIZE_THREAD__")
#undef __SANITIZE_THREAD__
#include_next <google/protobuf/map_field.h>
#pragma pop_macro("__SANITIZE_THREAD__")

#endif  // KEYFERRY_TESTS_TSAN_MAP_FIELD_H_
