// What is behind everything: written wherever nothing was drawn, in every pass.
uniform vec3 colour;
#ifdef CUBE_TEXTURE
uniform samplerCube sky;
#endif
void main() {
#ifdef RGB
    vec3 rgb = colour;
#ifdef CUBE_TEXTURE
#ifdef ORTHO
    vec3 ray = vec3(0.0, 0.0, -1.0);
#else
    vec3 ray = vec3(gl_FragCoord.xy * unproject.xy + unproject.zw, -1.0);
#endif
    rgb = texture(sky, mat3(world_from_camera) * ray).rgb;
#endif
    o_rgb = vec4(rgb, 1.0);
#endif
#ifdef DEPTH
    o_depth = uintBitsToFloat(0x7F800000u);
#endif
#ifdef NORMALS
    o_normal = vec4(0.0);
#endif
#ifdef SEGMENTATION
    o_id = 0;
#endif
}
