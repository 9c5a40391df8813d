"""The life cycle of keys, online: where wrappings stand, rewrap, re-encrypt, retire, recover."""
