"""What a tagger is worth when its clips are disturbed: by noise, or on purpose."""
