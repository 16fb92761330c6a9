# Inside a container of the image: what was installed into /layer is put over it. Another Ray replaces the image's.
cd /usr/local/lib/python3.11/dist-packages
ray=$(basename /layer/ray-*.dist-info)
[ -d "$ray" ] || rm -r ray ray-*.dist-info
cp --archive --no-clobber /layer/. .
python3 -m compileall -q -j 0 . || true
