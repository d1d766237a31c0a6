"""The guide in PyTorch: Llama 2's architecture.  shape.py says how large."""
import torch
import torch.nn.functional as F
from torch import nn


class RMSNorm(nn.Module):
    def __init__(self, size, eps):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x):
        y = x.float()
        return (y * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + self.eps) * self.weight).to(x.dtype)


def rotate(x, cos, sin):
    """x: [batch, heads, length, size]; pairs lie half a head apart, as in Hugging Face's Llama."""
    a, b = x.chunk(2, -1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)


class Attention(nn.Module):
    def __init__(self, shape):
        super().__init__()
        size = shape['hidden_size']
        self.heads = shape['num_attention_heads']
        self.q_proj, self.k_proj, self.v_proj, self.o_proj = (nn.Linear(size, size, bias=False) for _ in range(4))

    def forward(self, x, cos, sin, mask):
        b, t, n = x.shape
        q, k, v = (p(x).view(b, t, self.heads, -1).transpose(1, 2) for p in (self.q_proj, self.k_proj, self.
            v_proj))
        q, k = rotate(q, cos, sin).to(v.dtype), rotate(k, cos, sin).to(v.dtype)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.o_proj(y.transpose(1, 2).reshape(b, t, n))


class MLP(nn.Module):
    def __init__(self, shape):
        super().__init__()
        size, wide = shape['hidden_size'], shape['intermediate_size']
        self.gate_proj = nn.Linear(size, wide, bias=False)
        self.up_proj = nn.Linear(size, wide, bias=False)
        self.down_proj = nn.Linear(wide, size, bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.input_layernorm = RMSNorm(shape['hidden_size'], shape['rms_norm_eps'])
        self.self_attn = Attention(shape)
        self.post_attention_layernorm = RMSNorm(shape['hidden_size'], shape['rms_norm_eps'])
        self.mlp = MLP(shape)

    def forward(self, x, cos, sin, mask):
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, mask)
        return x + self.mlp(self.post_attention_layernorm(x))


class Llama(nn.Module):
    """Names of parameters are those of LlamaForCausalLM below `model.`; the head is the embedding."""

    def __init__(self, shape, n_vocab):
        super().__init__()
        self.shape, self.n_vocab = shape, n_vocab
        self.embed_tokens = nn.Embedding(n_vocab, shape['hidden_size'])
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape['num_hidden_layers']))
        self.norm = RMSNorm(shape['hidden_size'], shape['rms_norm_eps'])
        head = shape['hidden_size'] // shape['num_attention_heads']
        angle = torch.arange(shape['max_position_embeddings'])[:, None] * \
            shape['rope_theta'] ** (-torch.arange(0, head, 2) / head)
        self.register_buffer('cos', angle.cos(), persistent=False)
        self.register_buffer('sin', angle.sin(), persistent=False)
        for name, p in self.named_parameters():
            if p.dim() == 2:
                std = 0.02
                if name.endswith(('o_proj.weight', 'down_proj.weight')):
                    std /= (2 * shape['num_hidden_layers']) ** 0.5
                nn.init.normal_(p, std=std)

    def forward(self, ids, position, mask):
        """ids, position: [batch, length]; mask: true where a query may see a key, [batch, 1, length, length]."""
        cos, sin = self.cos[position][:, None], self.sin[position][:, None]
        x = self.embed_tokens(ids)
        for layer in self.layers:
            x = layer(x, cos, sin, mask)
        return F.linear(self.norm(x), self.embed_tokens.weight)
