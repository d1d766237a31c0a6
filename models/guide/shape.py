"""The guide's shape.  Every linear layer reads a multiple of 128 numbers, so that groups of 128 divide it."""
SHAPE = {'hidden_size': 384, 'intermediate_size': 1024, 'num_hidden_layers': 8, 'num_attention_heads': 6,
         'max_position_embeddings': 2048, 'rope_theta': 10000.0, 'rms_norm_eps': 1e-5}
