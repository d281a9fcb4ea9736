# Where the root key is: a Kubernetes KMS v2 plugin, or the keyring, with its command line.
keyferry_library(keyferry_api_kms
  SOURCES keyring_command.cc kms_client.cc kms_root_keys.cc kms_socket.cc moving_root_keys.cc root_key_provider.cc
  PUBLIC keyferry_common keyferry_crypto keyferry_rpc
  PRIVATE kms_protos)

keyferry_test(api_kms_test
  SOURCES keyring_command_test.cc kms_client_test.cc kms_outage_test.cc kms_root_keys_test.cc kms_socket_test.cc testing/fake_kms.cc
  LINK keyferry_api_kms keyferry_storage kms_protos)
