# The guide: what it is made with is distributed.  The model itself is installed under $(pkgdatadir)/models/guide.
EXTRA_DIST += models/guide/README.md models/guide/heldout.jsonl models/guide/card.md.in \
	models/guide/train models/guide/train.py models/guide/model.py models/guide/shape.py \
	models/guide/prepare.py models/guide/export.py models/guide/generate.py models/guide/apart.py \
	models/guide/bpe.py models/guide/chat.py models/guide/make_tokenizer.py models/guide/make_card \
	models/guide/calibration models/guide/check_heldout models/guide/check_loss models/guide/check_data \
	models/guide/data/__init__.py models/guide/data/conversation.py models/guide/data/facts.py \
	models/guide/data/facts_use.py models/guide/data/facts_more.py models/guide/data/grammar.py models/guide/data/manners.py \
	models/guide/data/names.py models/guide/data/stories.py models/guide/data/sums.py \
	models/guide/data/talk.py models/guide/data/talk_more.py models/guide/data/topics.py models/guide/data/topics_en.py \
	models/guide/data/topics_ja.py

# What `kaiwa quantize` wrote, and the card; tokenizer.json is the one that training uses.
guidedir = $(pkgdatadir)/models/guide
dist_guide_DATA = models/guide/config.json models/guide/generation_config.json models/guide/quantize_config.json \
	models/guide/tokenizer_config.json models/guide/gptq_model-4bit-128g.safetensors models/guide/MODEL_CARD.md \
	models/guide/tokenizer.json

# Beside the program, so that it opens before it is installed.
guide-beside:
	@test -e models/guide/config.json || { $(MKDIR_P) models && ln -sfn '$(abs_top_srcdir)/models/guide' models/guide; }
.PHONY: guide-beside
